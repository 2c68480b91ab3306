/** `dropslot hostkeys …`. */
import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type HostKey, loadHostKeys } from '../../keys/host/hostkeys.js';
import { OperationError } from '../../operations/error.js';
import { activateAnnounced, addHostKey, hostKeyTypes, removeInactive } from '../../operations/hostkeys.js';
import { atWorkplace, examples } from '../command.js';
import type { Output } from '../output.js';
import { type HostKeyFormat, hostKeyFormats, hostKeyList, hostKeyToJson, renderHostKeys } from '../views/hostkeys.js';

interface ListOptions {
  format: HostKeyFormat;
  host?: string;
  port?: number;
}

export function registerHostKeys(program: Command): void {
  const group = program.command('hostkeys').description('list and rotate the keys that prove this server to clients');
  group
    .command('list')
    .summary('list host keys, in the forms that clients show')
    .description(
      'Lists the host keys: active ones prove the server, announced ones are told to clients before they are used, retired ones were active before.',
    )
    .addOption(new Option('--format <form>', 'what to print of each').choices(hostKeyFormats).default('table'))
    .option('--host <name>', 'how clients call this server, for known_hosts and sshfp')
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
      atWorkplace(command, async ({ paths, settings }, out) => {
        const keys = await loadHostKeys(paths.hostKeys);
        const address = host === undefined ? null : { host, port: port ?? settings.port };
        if (address === null && (format === 'known_hosts' || format === 'sshfp'))
          throw new OperationError('usage', `--format ${format} needs --host: the name that clients connect to`);
        if (out.json || format === 'table')
          await out.list(keys, { ...hostKeyList, toJson: (key) => hostKeyToJson(key, address) });
        else await out.write(`${renderHostKeys(keys, format, address ?? { host: '', port: settings.port })}\n`);
      }),
    );
  group
    .command('add')
    .summary('announce a new host key')
    .description(
      'Makes a host key, or takes one that another server had. OpenSSH clients learn it at their next login; it proves nothing until it is activated.',
    )
    .argument('[file]', 'a private key without a passphrase; - reads standard input (default: a new key)')
    .addOption(new Option('--type <type>', 'of a new key').choices(Object.keys(hostKeyTypes)).default('ed25519'))
    .addHelpText('after', examples('dropslot hostkeys add', 'dropslot hostkeys add /etc/ssh/ssh_host_rsa_key'))
    .action((file: string | undefined, { type }: { type: string }, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const from = file === undefined ? { type: hostKeyTypes[type]! } : { text: readKeyFile(file) };
        const key = await addHostKey(workplace, from);
        const next = `Clients that take updates learn it at their next login; tell it to the others. Then: dropslot hostkeys activate ${key.fingerprint}`;
        await tell(out, key, `Announced ${key.fingerprint} (${key.type}).\n${next}`);
      }),
    );
  group
    .command('activate')
    .summary('use an announced host key')
    .description(
      'An announced key takes the place of the active one of its type, beside a running server; clients that know only the old one will refuse to connect.',
    )
    .argument('<fingerprint>', 'SHA256:…, or as much of its beginning as no other key shares')
    .addHelpText('after', examples('dropslot hostkeys activate SHA256:pX3k'))
    .action((prefix: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const key = await activateAnnounced(workplace, prefix);
        await tell(out, key, `${key.fingerprint} (${key.type}) proves this server from the next connection on.`);
      }),
    );
  group
    .command('remove')
    .summary('forget a host key')
    .description(
      'Removes an announced or a retired key for good, or an active one of RSA. Clients that take updates forget it, too.',
    )
    .argument('<fingerprint>', 'SHA256:…, or as much of its beginning as no other key shares')
    .addHelpText('after', examples('dropslot hostkeys remove SHA256:pX3k'))
    .action((prefix: string, _options, command: Command) =>
      atWorkplace(command, async (workplace, out) => {
        const key = await removeInactive(workplace, prefix);
        await tell(out, key, `Removed ${key.fingerprint} (${key.type}, ${key.state}).`);
      }),
    );
}

function tell(out: Output, key: HostKey, text: string): Promise<void> {
  return out.show(hostKeyToJson(key, null), text);
}

function readPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new OperationError('usage', `"${text}" is no port: 1 to 65535`);
  return port;
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OperationError(code === 'ENOENT' ? 'not_found' : 'failed', `${file} can't be read: ${message}`, {
      cause,
    });
  }
}
