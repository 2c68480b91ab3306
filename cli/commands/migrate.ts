/** `dropslot migrate`: move the installation to PostgreSQL, or back to SQLite. */
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { escapeControl, formatBytes } from '../../operations/format.js';
import { type BlobMoveReport, giveUpBlobMove, moveBlobs, planBlobMove } from '../../operations/move/blobs.js';
import { type MoveReport, moveDatabases, planMove } from '../../operations/move/move.js';
import { type SwitchReport, switchBlobs, switchSettings } from '../../operations/move/switch.js';
import { readDestination } from '../../operations/move/target.js';
import { type UndoReport, undoMove } from '../../operations/move/undo.js';
import type { Workplace } from '../../operations/workplace.js';
import { atWorkplace, choiceOf, examples } from '../command.js';
import type { Output } from '../output.js';
import { askYes, requireTerminal } from '../prompt.js';

interface Options {
  to?: string;
  blobs?: string;
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
it again. Sealed files and keys stay where they are. If it fails or is killed, repeat it: it goes on with the rows that are there.

With --blobs it moves the sealed files into the bucket of an object store, or back to the data folder: it copies them while the server runs, compares every
copy, and changes "blobs" in the settings file. The settings of the store (blobEndpoint and others) must be there before. The originals stay.`,
    )
    .option(
      '--to <database>',
      'file:PATH of a private file with the URL of an empty PostgreSQL database, such a URL without a password, or sqlite',
    )
    .option('--blobs <place>', 'move the sealed files instead: s3://BUCKET/PREFIX, or folder (the data folder)')
    .option('--dry-run', 'only count the rows, or the files')
    .option('--volume-encrypted', 'the volume of PostgreSQL is encrypted: a sealed directory.db may be moved to it')
    .option(
      '--undo',
      'use the old databases again, as they were at the move; with --blobs give up a move that has not ended',
    )
    .option('--yes', 'do not ask; with --undo also give up all that the new databases have taken since')
    .addHelpText(
      'after',
      examples(
        'dropslot migrate --to file:/etc/dropslot/database-url --dry-run',
        'dropslot migrate --to file:/etc/dropslot/database-url',
        'dropslot migrate --to sqlite',
        'dropslot migrate --blobs s3://acme-hr/dropslot',
        'dropslot migrate --blobs folder',
      ),
    )
    .action((options: Options, command: Command) =>
      atWorkplace(
        command,
        async (workplace, out) => {
          if (options.blobs !== undefined) {
            if (options.to !== undefined) throw new OperationError('usage', 'use --to and --blobs one after the other');
            await runBlobs(workplace, options, options.blobs, command, out);
            return;
          }
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

async function runBlobs(
  workplace: Workplace,
  options: Options,
  to: string,
  command: Command,
  out: Output,
): Promise<void> {
  if (options.undo === true) {
    const report = await giveUpBlobMove(workplace, to);
    await out.show(
      report,
      escapeControl(`Gave up the move to ${to}: ${report.inUse} is in use. Copies may be in ${to}.`),
    );
    return;
  }
  if (options.dryRun === true) {
    const plan = await planBlobMove(workplace, to);
    const size = formatBytes(plan.sealedBytes);
    await out.show(plan, escapeControl(`Would copy ${plan.files} files (${size}) from ${plan.from} to ${to}.`));
    return;
  }
  await confirm(options, 'the move', `Move the sealed files to ${to}?`);
  const report = await moveBlobs(workplace, to, { onProgress: out.note });
  const settings = await switchBlobs(choiceOf(command), workplace.settings.data, to);
  await out.show({ ...report, settings }, describeBlobs(report, settings).map(escapeControl).join('\n'));
}

function describeBlobs(
  { from, to, files, sealedBytes, missing, heldMs }: BlobMoveReport,
  { file, settings, origin }: SwitchReport,
): string[] {
  const next =
    file === null
      ? `Change the setting in ${origin}: ${JSON.stringify(settings)}. Then start the servers again.`
      : `${file} names the new place now. Start the servers again, the others with the same setting.`;
  return [
    files === null
      ? `The sealed files are in ${to} already, since a move before.`
      : `The sealed files are in ${to}: ${files} of ${formatBytes(sealedBytes)}, each copy compared. Nothing could be written for ${(heldMs / 1000).toFixed(1)} s.`,
    ...(missing.length > 0
      ? [`${missing.length} files were missing in ${from} already: "dropslot doctor" names them.`]
      : []),
    next,
    `The old files are still in ${from}; remove them once you have seen that all is well.`,
  ];
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
