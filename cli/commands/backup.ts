/** `dropslot backup`: copy everything into a folder, or to the place of the scheduled backups, while the server runs. */
import type { Command } from 'commander';
import { type BackupReport, backUp } from '../../operations/backup/backup.js';
import { makeBackupNow } from '../../operations/backup/schedule.js';
import { OperationError } from '../../operations/error.js';
import { escapeControl, formatBytes } from '../../operations/format.js';
import { markTints } from '../color.js';
import { atWorkplace, examples } from '../command.js';

interface Options {
  includeKeys?: boolean;
  pgDump?: string;
}

export function registerBackup(program: Command): void {
  program
    .command('backup')
    .summary('take a consistent copy while the server runs')
    .description(
      `Copies the databases, the sealed files that they refer to, the host keys and the settings into a folder, and reads each
copied file to its end. Files that an earlier backup copied are not copied again. The master key is left out.
Without a folder: to the place of the scheduled backups (backupTo), as the schedule does.`,
    )
    .argument('[dir]', 'a new folder, or one that holds an earlier backup')
    .option('--include-keys', 'also copy the master key: anyone who gets the backup can then open every file in it')
    .option(
      '--pg-dump <program>',
      "PostgreSQL's pg_dump, of the server's version or later (default: the setting pgDump)",
    )
    .addHelpText(
      'after',
      examples(
        'dropslot backup /mnt/backup/dropslot',
        'dropslot backup /mnt/backup/dropslot --json',
        'dropslot backup',
      ),
    )
    .action((folder: string | undefined, { includeKeys, pgDump }: Options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        if (folder === undefined && (includeKeys === true || pgDump !== undefined))
          throw new OperationError('usage', '--include-keys and --pg-dump need a folder: dropslot backup DIR');
        if (folder?.includes('://'))
          throw new OperationError(
            'usage',
            `${folder} is no folder of this machine: to back up to an SFTP server, set backupTo, backupKey and backupHostKey, and run "dropslot backup"`,
          );
        const report =
          folder === undefined
            ? await makeBackupNow(workplace, out.progress)
            : await backUp(workplace, folder, {
                includeKeys: includeKeys === true,
                pgDump: pgDump ?? workplace.settings.pgDump,
                onProgress: out.progress,
              });
        await out.show(report, escapeControl(describe(report)));
        for (const line of report.wrong) out.note(`WRONG  ${line}`, markTints);
        out.note(
          includeKeys === true
            ? 'The backup includes the master key: anyone who gets this folder can open every file. Protect it like the key.'
            : `The backup does not include the master key, which is needed to open its files: keep a copy of ${workplace.secrets.masterKey} elsewhere.`,
        );
        if (report.wrong.length > 0)
          throw new OperationError(
            'failed',
            'the backup is complete, but some files were damaged before it: run "dropslot doctor --deep"',
          );
      }),
    );
}

function describe({ folder, files, sealedBytes, newFiles, newBytes, removedFiles }: BackupReport): string {
  const removed = removedFiles === 0 ? '' : `, ${removedFiles} unused removed`;
  return `Backed up to ${folder}: the databases and ${files} sealed ${files === 1 ? 'file' : 'files'} (${formatBytes(sealedBytes)}); ${newFiles} copied now (${formatBytes(newBytes)})${removed}.`;
}
