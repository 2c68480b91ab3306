/** `dropslot restore`: put a backup into an empty data folder, and examine it. */
import type { Command } from 'commander';
import { type Restored, restore } from '../../operations/backup/restore.js';
import { returnToOwner } from '../../operations/backup/restorefolder.js';
import { examine } from '../../operations/doctor/examine.js';
import { OperationError } from '../../operations/error.js';
import { escapeControl, formatBytes } from '../../operations/format.js';
import { appOf } from '../app.js';
import { markTints } from '../color.js';
import { choiceOf, examples, withOutput } from '../command.js';
import { askPassphrase, canAsk } from '../prompt.js';

interface Options {
  masterKey?: string;
}

export function registerRestore(program: Command): void {
  program
    .command('restore')
    .summary('put a backup into an empty data folder')
    .description(
      `Copies a backup into the data folder (--data), which must be empty or not exist: settings and a master key may be there.
Checks before that the backup is whole and that its databases fit, and after it every file, as "dropslot doctor --deep" does.
Run it as the user that runs the server. If it is interrupted or killed, repeat it.`,
    )
    .argument('<dir>', 'a backup: the folder with backup.json')
    .option(
      '--master-key <file>',
      'copy the master key from this file; without it, it must be where the settings have it',
    )
    .addHelpText(
      'after',
      examples(
        'dropslot restore /mnt/backup/dropslot --data /var/lib/dropslot --master-key /media/safe/master.key',
        'dropslot restore /mnt/backup/2026-11-29T02-00-00Z --data /var/lib/dropslot',
      ),
    )
    .action((folder: string, { masterKey }: Options, command: Command) =>
      withOutput(command, async (out) => {
        const { openWorkplace } = appOf(command);
        const { settings, ...report } = await restore(choiceOf(command), openWorkplace, folder, {
          masterKey,
          askPassphrase: canAsk() ? askPassphrase : undefined,
          onProgress: out.progress,
        });
        if (report.masterKey === 'missing') {
          await out.show({ ...report, findings: null }, escapeControl(describe(report)));
          out.note(
            escapeControl(
              `The master key is missing: put it into ${report.data}/keys/master.key (mode 0600), or set masterKey; then run "dropslot doctor --deep --data ${report.data}".`,
            ),
          );
          return;
        }
        const found = await examine(settings, openWorkplace, { deep: true, onProgress: out.progress });
        await returnToOwner(report.data);
        const problems = found.filter(({ level }) => level === 'wrong' || level === 'warning');
        const findings = problems.map(({ level, check, subject, message }) => ({ level, check, subject, message }));
        await out.show({ ...report, findings }, escapeControl(describe(report)));
        for (const { level, subject, message } of findings)
          out.note(escapeControl(`${level === 'wrong' ? 'WRONG  ' : 'warning'}  ${subject}: ${message}`), markTints);
        if (findings.some(({ level }) => level === 'wrong'))
          throw new OperationError('failed', 'the backup is restored, but the data has errors: see above');
        out.note(`Start the server: dropslot serve --data ${report.data}`);
      }),
    );
}

function describe({ data, at, files, bytes }: Omit<Restored, 'settings'>): string {
  return `Restored the backup of ${at.slice(0, 16).replace('T', ' ')} UTC into ${data}: the databases and ${files} sealed ${files === 1 ? 'file' : 'files'} (${formatBytes(bytes)}).`;
}
