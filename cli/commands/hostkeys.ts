/** `dropslot hostkeys …`: list the host keys, and rotate them. */

import { type Command, Option } from 'commander';
import { OperationError } from '../../operations/error.js';
import { hostKeyToJson } from '../../operations/forms/server.js';
import {
  activateAnnounced,
  addHostKey,
  type HostKeyView,
  hostKeyTypes,
  listHostKeys,
  removeInactive,
} from '../../operations/hostkeys.js';
import { clientAddress } from '../../operations/welcome.js';
import { atControl, examples } from '../command.js';
import { readInputFile } from '../localfiles.js';
import type { Output } from '../output.js';
import { readPort } from '../port.js';
import { type HostKeyFormat, hostKeyFormats, hostKeyList, renderHostKeys } from '../views/hostkeys.js';

interface ListOptions {
  format: HostKeyFormat;
  host?: string;
  port?: number;
}

export function registerHostKeys(program: Command): void {
  const group = program
    .command('hostkeys')
    .summary("the server's own SSH keys")
    .description('list and rotate the keys that prove this server to clients');
  group
    .command('list')
    .summary('list host keys, in the forms that clients show')
    .description(
      'Lists the host keys: active keys prove the server, announced keys are sent to clients before they are used, retired keys were active before.',
    )
    .addOption(new Option('--format <form>', 'the form to print').choices(hostKeyFormats).default('table'))
    .option('--host <name>', 'the host name that clients connect to, for known_hosts and sshfp')
    .option('--port <number>', 'the port that clients use (default: the setting)', readPort)
    .addHelpText(
      'after',
      examples(
        'dropslot hostkeys list',
        'dropslot hostkeys list --format known_hosts --host sftp.example.com --port 22',
        'dropslot hostkeys list --format sshfp --host sftp.example.com',
      ),
    )
    .action(({ format, host, port }: ListOptions, command: Command) =>
      atControl(command, async (workplace, out) => {
        const given = { ...(host !== undefined && { host }), ...(port !== undefined && { port }) };
        const address = clientAddress(workplace.settings, given);
        if (address === null && (format === 'known_hosts' || format === 'sshfp'))
          throw new OperationError(
            'usage',
            `--format ${format} needs --host, or the setting publicHost: the name that clients connect to`,
          );
        const keys = await listHostKeys(workplace, address);
        if (out.json || format === 'table') await out.list(keys, hostKeyList);
        else await out.write(`${renderHostKeys(keys, format)}\n`);
      }),
    );
  group
    .command('add')
    .summary('announce a new host key')
    .description(
      'Makes a host key, or takes over one from another server, and announces it. OpenSSH clients store it at their next login; the server does not use it until you activate it.',
    )
    .argument('[file]', 'a private key without a passphrase; - reads standard input (default: a new key)')
    .addOption(new Option('--type <type>', 'of a new key').choices(Object.keys(hostKeyTypes)).default('ed25519'))
    .addHelpText('after', examples('dropslot hostkeys add', 'dropslot hostkeys add /etc/ssh/ssh_host_rsa_key'))
    .action((file: string | undefined, { type }: { type: string }, command: Command) =>
      atControl(command, async (workplace, out) => {
        const from = file === undefined ? { type: hostKeyTypes[type]! } : { text: readInputFile(file) };
        const key = await addHostKey(workplace, from);
        const next = `OpenSSH clients store it at their next login; send it to the others. Then: dropslot hostkeys activate ${key.fingerprint}`;
        await show(out, key, `Announced ${key.fingerprint} (${key.type}).\n${next}`);
      }),
    );
  group
    .command('activate')
    .summary('use an announced host key')
    .description(
      'Replaces the active key of its type with the announced one, also while the server runs. Clients that know only the old key will refuse to connect.',
    )
    .argument('<fingerprint>', 'SHA256:…, or its beginning, if only one key has it')
    .addHelpText('after', examples('dropslot hostkeys activate SHA256:pX3k'))
    .action((prefix: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const key = await activateAnnounced(workplace, prefix);
        await show(out, key, `The server uses ${key.fingerprint} (${key.type}) from the next connection on.`);
      }),
    );
  group
    .command('remove')
    .summary('remove a host key')
    .description(
      'Removes an announced or retired key for good, or an active RSA key. OpenSSH clients remove it at their next login.',
    )
    .argument('<fingerprint>', 'SHA256:…, or its beginning, if only one key has it')
    .addHelpText('after', examples('dropslot hostkeys remove SHA256:pX3k'))
    .action((prefix: string, _options, command: Command) =>
      atControl(command, async (workplace, out) => {
        const key = await removeInactive(workplace, prefix);
        await show(out, key, `Removed ${key.fingerprint} (${key.type}, ${key.state}).`);
      }),
    );
}

function show(out: Output, key: HostKeyView, text: string): Promise<void> {
  return out.show(hostKeyToJson(key), text);
}
