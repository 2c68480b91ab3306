/** `dropslot exports …`: users and teams as CSV, written to another server or into /exports after runs or once a day. */
import type { Command } from 'commander';
import { OperationError } from '../../operations/error.js';
import { addExport, type NewExport, runExport } from '../../operations/exports/exports.js';
import { exportKind } from '../../operations/subscribers.js';
import { atWorkplace, examples } from '../command.js';
import { readInputFile } from '../localfiles.js';
import { commandOfOne, registerState } from './subscribers.js';

const mostKept = 1000;

interface AddOptions extends Omit<NewExport, 'key'> {
  /** Path of the private key. */
  key?: string;
}

export function registerExports(program: Command): void {
  const group = program
    .command('exports')
    .summary('send users and teams to other systems')
    .description('send users and teams as CSV files to other systems');
  group
    .command('add')
    .summary('add an export')
    .description(
      'Adds an export: after each run that was applied, or once a day, the server writes the users and the teams of the organization as two CSV files. Each is written under a temporary name and renamed once it is complete. A target that can not be reached is tried again with growing pauses, for three days.',
    )
    .argument('<org>')
    .option('--to <url>', 'folder of an SFTP server: sftp://user@host:22/folder')
    .option('--key <file>', 'private key that logs in there; it is stored sealed to the master key')
    .option('--host-key <fingerprint>', 'the only host key that is accepted there: SHA256:…')
    .option('--allow-private', 'accept private, loopback and link-local addresses for this export')
    .option('--to-folder <path>', 'folder of the SFTP tree of the organization: /exports, or a folder below it')
    .option('--changed-only', 'only users changed since the last export; the first one has all')
    .option('--when <time>', 'after-run, or daily@04:00 in the time zone of the organization (default: after-run)')
    .option('--keep <n>', 'so many exports remain at the target (default: 30)', readKeep)
    .option('--description <text>', 'a text for lists')
    .addHelpText(
      'after',
      examples(
        'dropslot exports add acme --to-folder /exports --when daily@04:00',
        'dropslot exports add acme --to sftp://dropslot@payroll.example/in --key export_key --host-key SHA256:Zb0pJ8q0uXv7k3mJ0m1mD1o0nXxC7o2Jb0x2n3w4c5A --changed-only',
      ),
    )
    .action((org: string, { key: file, ...options }: AddOptions, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const key = file === undefined ? {} : { key: readInputFile(file) };
        const added = await addExport(workplace, org, { ...options, ...key });
        await out.show(added, `Added the export ${added.id}.\nTry it with: dropslot exports run ${added.id}`);
      }),
    );
  registerState(group, exportKind);
  commandOfOne(group, exportKind)(
    'run',
    'make an export now',
    'Makes the export from this machine, now and once, also if it is disabled.',
  )
    .addHelpText('after', examples('dropslot exports run sub_1a2b3c4d5e6f7081'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const { result, detail } = await runExport(workplace, id);
        if (result !== 'delivered') throw new OperationError('failed', `the export was not made: ${detail}`);
        await out.show({ id, detail }, `Done: ${detail}.`);
      }),
    );
}

function readKeep(text: string): number {
  if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > mostKept)
    throw new OperationError('usage', `--keep takes a number from 1 to ${mostKept}, not "${text}"`);
  return Number(text);
}
