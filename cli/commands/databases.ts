/** `dropslot databases accept`: continue with databases of different backups, or with one that has lost records. */
import type { Command } from 'commander';
import { type Acceptance, acceptDatabases, describeMisfits } from '../../operations/databases.js';
import { OperationError } from '../../operations/error.js';
import { escapeControl } from '../../operations/format.js';
import { atWorkplace, examples } from '../command.js';
import { askYes, requireTerminal } from '../prompt.js';

export function registerDatabases(program: Command): void {
  const group = program.command('databases').description('continue with databases that do not fit');
  group
    .command('accept')
    .summary('continue with the databases as they are')
    .description(
      `After a restore: continues with a control and a directory database of different backups, or with a control database that has
lost records, when there is no backup that has both. Files that the directory has imported already go to the archive; files that it
lacks are listed, and "dropslot files requeue" imports them again. "dropslot doctor" tells whether the databases fit.`,
    )
    .option('--yes', 'do not ask')
    .addHelpText('after', examples('dropslot doctor', 'dropslot databases accept --yes'))
    .action(({ yes }: { yes?: boolean }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (yes !== true) {
          for (const sentence of await describeMisfits(workplace)) out.note(escapeControl(sentence));
          requireTerminal('that the databases are accepted');
          if (!(await askYes('Continue with the databases as they are?')))
            throw new OperationError('refused', 'nothing was accepted');
        }
        const acceptance = await acceptDatabases(workplace);
        await out.show(acceptance, describeAcceptance(acceptance));
      }),
    );
}

const listedFiles = 50;

function describeAcceptance({ imported, renumbered, missing, lostUploads }: Acceptance): string {
  const lines = ['The databases are accepted as they are; imports continue.'];
  if (imported > 0) lines.push(`Files that were imported already, and are in the archive now: ${imported}.`);
  if (renumbered > 0) lines.push(`Files in the queue that got a new number: ${renumbered}.`);
  if (missing.length > 0) {
    lines.push(`Imported files whose changes the directory database lacks: ${missing.length}.`);
    lines.push(...missing.slice(0, listedFiles).map((file) => `  ${escapeControl(file)}`));
    if (missing.length > listedFiles) lines.push(`  and ${missing.length - listedFiles} more`);
    lines.push('Import them again: "dropslot files requeue ORG PATH" with their paths in the archive.');
  }
  if (lostUploads > 0) lines.push(`Lost uploads, at most: ${lostUploads}. Ask their senders to send them again.`);
  return lines.join('\n');
}
