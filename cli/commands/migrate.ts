/** `dropslot migrate`: move the installation to PostgreSQL, or back to SQLite. */
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { escapeControl } from '../../operations/format.js';
import { type MoveReport, moveDatabases, planMove } from '../../operations/move/move.js';
import { type SwitchReport, switchSettings } from '../../operations/move/switch.js';
import { readDestination } from '../../operations/move/target.js';
import { type UndoReport, undoMove } from '../../operations/move/undo.js';
import { atWorkplace, choiceOf, examples } from '../command.js';
import { askYes, requireTerminal } from '../prompt.js';

interface Options {
  to?: string;
  dryRun?: boolean;
  undo?: boolean;
  volumeEncrypted?: boolean;
  yes?: boolean;
}

export function registerMigrate(program: Command): void {
  program
    .command('migrate')
    .summary('move to PostgreSQL, or back to SQLite')
    .description(
      `Copies the control and the directory database to another place while the server runs, holds both still for the last rows, compares
every table, and changes "database" in the settings file. From then on the old databases refuse every write, and the server ends: start
it again. Sealed files and keys stay where they are. If it fails or is killed, repeat it: it goes on with the rows that are there.`,
    )
    .option(
      '--to <database>',
      'file:PATH of a private file with the URL of an empty PostgreSQL database, such a URL without a password, or sqlite',
    )
    .option('--dry-run', 'only count the rows')
    .option('--volume-encrypted', 'the volume of PostgreSQL is encrypted: a sealed directory.db may be moved to it')
    .option('--undo', 'use the old databases again, as they were at the move')
    .option('--yes', 'do not ask; with --undo also give up all that the new databases have taken since')
    .addHelpText(
      'after',
      examples(
        'dropslot migrate --to file:/etc/dropslot/database-url --dry-run',
        'dropslot migrate --to file:/etc/dropslot/database-url',
        'dropslot migrate --to sqlite',
      ),
    )
    .action((options: Options, command: Command) =>
      atWorkplace(
        command,
        async (workplace, out) => {
          const destination = options.to === undefined ? null : readDestination(options.to, workplace.settings);
          if (options.undo === true) {
            await confirm(
              options,
              'that the old databases are used again',
              'Use the old databases again, as they were at the move?',
            );
            const report = await undoMove(workplace, destination, options.yes === true);
            await out.show(report, describeUndo(report).map(escapeControl).join('\n'));
            return;
          }
          if (destination === null)
            throw new OperationError(
              'usage',
              'name the new database with --to, for example --to file:/etc/dropslot/database-url',
            );
          if (options.dryRun === true) {
            const plan = await planMove(workplace, destination);
            await out.show(plan, escapeControl(`Would copy ${plan.rows} rows from ${plan.from} to ${plan.to}.`));
            return;
          }
          await confirm(options, 'the move', `Move this installation to ${destination.name}?`);
          const report = await moveDatabases(workplace, destination, {
            isVolumeEncrypted: options.volumeEncrypted === true,
            onProgress: out.note,
          });
          const settings = await switchSettings(choiceOf(command), destination);
          await out.show({ ...report, settings }, describe(report, settings).map(escapeControl).join('\n'));
        },
        { evenMoved: true },
      ),
    );
}

async function confirm({ yes }: Options, deed: string, question: string): Promise<void> {
  if (yes === true) return;
  requireTerminal(deed);
  if (!(await askYes(question))) throw new OperationError('refused', 'nothing was changed');
}

function describe({ from, to, rows, tables, heldMs }: MoveReport, { file, settings, origin }: SwitchReport): string[] {
  const next =
    file === null
      ? `Change the setting in ${origin}: ${JSON.stringify(settings)}. Then start the server again.`
      : `${file} names the new database now. Start the server again.`;
  return [
    `Moved ${rows} rows in ${tables.length} tables from ${from} to ${to}; every table is equal.`,
    `Nothing could be written for ${(heldMs / 1000).toFixed(1)} s. The old databases refuse every write from now on.`,
    next,
  ];
}

function describeUndo({ inUse, other, lostRecords }: UndoReport): string[] {
  const lost =
    lostRecords === null
      ? `Never start a server on ${other} again.`
      : lostRecords > 0
        ? `Lost: all that ${other} has taken since the move.`
        : `Nothing is lost: ${other} had recorded nothing since the move.`;
  return [`${inUse} is in use again. ${lost}`, 'Set "database" to it in the settings, and start the server.'];
}
