/** `dropslot backup`. */
import type { Command } from 'commander';
import { type BackupReport, backUp } from '../../operations/backup/backup.js';
import { OperationError } from '../../operations/error.js';
import { escapeControl, formatBytes } from '../../operations/format.js';
import { atWorkplace, examples } from '../command.js';

interface Options {
  includeKeys?: boolean;
  pgDump: string;
}

export function registerBackup(program: Command): void {
  program
    .command('backup')
    .summary('take a consistent copy while the server runs')
    .description(
      `Copies the databases, the sealed files that they refer to, the host keys and the settings into a folder; opens each
copied file to its end. Files that an earlier backup has put there are not copied again. The master key is left out.`,
    )
    .argument('<dir>', 'a new folder, or one that holds an earlier backup')
    .option('--include-keys', 'copy the master key as well: whoever gets the backup then opens every file in it')
    .option('--pg-dump <program>', "PostgreSQL's pg_dump, of the server's version or later", 'pg_dump')
    .addHelpText(
      'after',
      examples('dropslot backup /mnt/backup/dropslot', 'dropslot backup /mnt/backup/dropslot --json'),
    )
    .action((folder: string, { includeKeys, pgDump }: Options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const report = await backUp(workplace, folder, {
          includeKeys: includeKeys === true,
          pgDump,
          onProgress: out.note,
        });
        await out.show(report, escapeControl(describe(report)));
        for (const line of report.wrong) out.note(`WRONG  ${line}`);
        out.note(
          includeKeys === true
            ? 'The master key is in it: whoever gets this folder opens every file. Keep it as you keep the key.'
            : `The master key is not in it, and nothing in it opens without: keep a copy of ${workplace.paths.masterKey} elsewhere.`,
        );
        if (report.wrong.length > 0)
          throw new OperationError(
            'failed',
            'the backup is complete, and has files that were damaged before it: dropslot doctor --deep',
          );
      }),
    );
}

function describe({ folder, files, sealedBytes, newFiles, newBytes, removedFiles }: BackupReport): string {
  const removed = removedFiles === 0 ? '' : `, ${removedFiles} removed that nothing refers to any more`;
  return `Backed up to ${folder}: the databases and ${files} sealed ${files === 1 ? 'file' : 'files'} (${formatBytes(sealedBytes)}); ${newFiles} copied now (${formatBytes(newBytes)})${removed}.`;
}
