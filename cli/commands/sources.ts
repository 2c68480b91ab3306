/** `dropslot sources …`: the SFTP servers of customers that files are fetched from. */

import { type Command, Option } from 'commander';
import { describeDoor, findDoor } from '../../operations/doors.js';
import { OperationError } from '../../operations/error.js';
import { doorToJson } from '../../operations/forms/doors.js';
import { readSecret, type Settings } from '../../operations/settings.js';
import { addSource, type SourceChoice, type SourceTest, setSource, testSource } from '../../operations/sources.js';
import { atControl, examples } from '../command.js';
import { readInputFile } from '../localfiles.js';
import { askYes, canAsk } from '../prompt.js';
import { renderTest } from '../views/doors.js';
import { addDoorCommands } from './doors.js';

interface SourceOptions {
  host?: string;
  port?: string;
  user?: string;
  key?: string;
  keyPassphraseFile?: string;
  passwordFile?: string;
  generateKey?: boolean;
  hostKey?: string[];
  path?: string;
  pattern?: string[];
  afterFetch?: string;
  when?: string;
  into?: string;
  allowPrivate?: boolean;
  legacyAlgorithms?: boolean;
}

/** Of `findDoor`, which has checked the kind. */
type Sftp = Parameters<typeof setSource>[1];

export function registerSources(program: Command): void {
  const sources = program
    .command('sources')
    .summary("fetch files from customers' SFTP servers")
    .description('manages the SFTP servers of customers that Dropslot fetches files from');
  addOptions(
    sources
      .command('add')
      .summary('fetch the files of an organization from its SFTP server')
      .description(
        `Adds an SFTP server whose new files Dropslot fetches: before the organization's slot, or every so many minutes. Without
--host-key the source begins when "dropslot sources test" has confirmed the host key.`,
      )
      .argument('<org>'),
  )
    .addHelpText(
      'after',
      examples(
        'dropslot sources add acme --host sftp.acme.example --user dropslot --generate-key --path /out',
        `dropslot sources add acme --host sftp.acme.example --user hr --password-file ./secret --path /out --pattern '*.csv' --after-fetch move:/done --when every:30m`,
      ),
    )
    .action((org: string, options: SourceOptions, command: Command) =>
      atControl(command, async (place, out) => {
        const source = (await addSource(place, org, readChoice(options, place.settings))) as Sftp;
        await out.show(doorToJson(source), describeAdded(source, options.generateKey === true));
      }),
    );
  addDoorCommands(sources, 'source');
  registerTest(sources);
  addOptions(
    sources
      .command('set')
      .summary('change a source')
      .description(
        'Changes the values that are given; the others remain. --host-key accepts the new host key of a server, and the source fetches again.',
      )
      .argument('<id>', 'number of the source'),
  )
    .addOption(new Option('--no-allow-private', 'refuse private and loopback addresses again'))
    .addOption(new Option('--no-legacy-algorithms', 'offer no old algorithms any more'))
    .addHelpText(
      'after',
      examples(
        'dropslot sources set 1 --host-key SHA256:pX3k…',
        'dropslot sources set 1 --when every:2h --after-fetch keep',
      ),
    )
    .action((id: string, options: SourceOptions, command: Command) =>
      atControl(command, async (place, out) => {
        const found = (await findDoor(place, 'sftp', id)) as Sftp;
        const source = (await setSource(place, found, readChoice(options, place.settings))) as Sftp;
        const added = options.generateKey === true ? `\n${describeKey(source)}` : '';
        await out.show(doorToJson(source), `Changed source ${id}.${added}`);
      }),
    );
}

function registerTest(sources: Command): void {
  sources
    .command('test')
    .summary('connect, log in, and list the files that would be taken')
    .description(
      `Connects to the server, shows its host key and asks for it to be confirmed, logs in, lists the folder, and prints the files
that would be taken. It takes none.`,
    )
    .argument('<id>', 'number of the source')
    .option(
      '--accept-host-key',
      'confirm the host key that the server shows, without a question (only while none is confirmed)',
    )
    .addHelpText('after', examples('dropslot sources test 1', 'dropslot sources test 1 --accept-host-key --json'))
    .action((id: string, { acceptHostKey }: { acceptHostKey?: boolean }, command: Command) =>
      atControl(command, async (place, out) => {
        const source = (await findDoor(place, 'sftp', id)) as Sftp;
        const confirm = async ({ fingerprint, type }: { fingerprint: string; type: string }) => {
          out.note(`The server ${source.config.host} shows the host key ${fingerprint} (${type}).`);
          if (acceptHostKey === true) return true;
          return !out.json && canAsk() && (await askYes('Is this the fingerprint that the customer gave you?'));
        };
        const test = await testSource(place, source, confirm);
        await out.show(
          testToJson(id, test),
          test.isConfirmed ? renderTest(test, source) : 'The host key is not confirmed.',
        );
        if (!test.isConfirmed)
          throw new OperationError(
            'refused',
            `compare it with the fingerprint from the customer; if both are the same, repeat the command with --accept-host-key, or run: dropslot sources set ${id} --host-key ${test.hostKey!.fingerprint}`,
          );
      }),
    );
}

function addOptions(command: Command): Command {
  return command
    .option('--host <name>', 'name or address of the server')
    .option('--port <number>', 'its port (default: 22)')
    .option('--user <name>', 'user name there')
    .option('--key <file>', 'private key to log in with; also - (standard input), fd:N or credential:NAME')
    .option('--key-passphrase-file <file>', 'passphrase of that key, in a file; also fd:N or credential:NAME')
    .option(
      '--password-file <file>',
      'password to log in with, in a file; also - (standard input), fd:N or credential:NAME',
    )
    .option('--generate-key', 'generate a key, and print its public part for the customer')
    .option('--host-key <fingerprint…>', 'SHA256:… of the host key; several times for several keys', collect)
    .option('--path <folder>', 'folder on the server')
    .option(
      '--pattern <pattern…>',
      'names to fetch, such as *.csv (default: names that are imported); several times',
      collect,
    )
    .option('--after-fetch <action>', 'keep, delete or move:FOLDER, once a file is durable here (default: keep)')
    .option('--when <time>', 'before-slot, or every:30m, every:2h (default: before-slot)')
    .option('--into <folder>', "folder of the organization's tree that the files enter (default: /)")
    .option('--allow-private', 'allow private and loopback addresses')
    .option('--legacy-algorithms', 'also offer old algorithms (SHA-1, CBC, ssh-rsa), for old servers');
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

function readChoice(options: SourceOptions, settings: Settings): SourceChoice {
  const read = (source: string) => (source === '-' ? readInputFile(source) : readSecret(source, settings));
  const { key, keyPassphraseFile, passwordFile, hostKey, pattern, ...choice } = options;
  return {
    ...choice,
    ...(hostKey !== undefined && { hostKeys: hostKey }),
    ...(pattern !== undefined && { patterns: pattern }),
    ...(key !== undefined && { key: `${read(key)}\n` }),
    ...(keyPassphraseFile !== undefined && { keyPassphrase: read(keyPassphraseFile) }),
    ...(passwordFile !== undefined && { password: read(passwordFile) }),
  };
}

function describeAdded(source: Sftp, isGenerated: boolean): string {
  const { id, org, config, state } = source;
  const lines = [`Added source ${id} of ${org}: ${describeDoor(source).place}, ${config.when}.`];
  if (isGenerated) lines.push(describeKey(source));
  lines.push(
    state === 'unconfirmed'
      ? `Next: dropslot sources test ${id} (it shows the host key, which must be confirmed before files are fetched)`
      : `Next: dropslot sources test ${id}`,
  );
  return lines.join('\n');
}

function describeKey({ config }: Sftp): string {
  return `Give this public key to the customer, for authorized_keys of ${config.user}:\n${config.publicKey}`;
}

function testToJson(id: string, { wouldTake, ...test }: SourceTest): Record<string, unknown> {
  const files = wouldTake.map(({ name, size, mtimeMs }) => ({
    name,
    size,
    modifiedAt: new Date(mtimeMs).toISOString(),
  }));
  return { source: Number(id), ...test, wouldTake: files };
}
