/** `dropslot keys …`. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type LoginKey, listLoginKeys } from '../../db/control/keys.js';
import { atWorkplace, examples } from '../command.js';
import { AdminError } from '../error.js';
import { addKeys, readExpiry, readSources, revokeKey, stateOfKey } from '../operations/keys.js';
import { formatTime, isoTime, type ListView } from '../output.js';

interface AddOptions {
  label?: string;
  expires?: string;
  from?: string;
}

export function registerKeys(program: Command): void {
  const keys = program.command('keys').description('add, list and revoke the keys that organizations log in with');
  keys
    .command('add')
    .summary('let a public key log in')
    .description(
      'Lets the public keys of a file log in as an organization: ed25519, ECDSA, or RSA of 2048 bits or more.',
    )
    .argument('<org>')
    .argument('<file>', 'public keys as OpenSSH or RFC 4716 writes them; - reads standard input')
    .option('--label <text>', "what the key is for (default: the key's comment)")
    .option('--expires <date>', "last day it may log in, in the organization's time zone: 2027-12-31")
    .option('--from <cidrs>', 'addresses that it may log in from: 192.0.2.0/24,2001:db8::/32')
    .addHelpText(
      'after',
      examples(
        'dropslot keys add acme ./acme.pub --label "Workday export"',
        'dropslot keys add acme - --expires 2027-12-31 --from 192.0.2.0/24 < acme.pub',
      ),
    )
    .action((id: string, file: string, { label, expires, from }: AddOptions, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const org = await place.org(id);
        const added = await addKeys(place, id, readKeyFile(file), {
          label: label ?? null,
          expiresAt: expires === undefined ? null : readExpiry(expires, org.timeZone, place.now()),
          sources: from === undefined ? [] : readSources(from),
        });
        const lines = added.map((key) => `Added ${key.fingerprint} (${key.algorithm}) to ${id}.`);
        if (!org.enabled) lines.push(`${id} is disabled: dropslot orgs enable ${id}`);
        await out.show(
          added.map(({ expiresAt, createdAt, ...key }) => ({
            ...key,
            expiresAt: isoTime(expiresAt),
            createdAt: isoTime(createdAt),
          })),
          lines.join('\n'),
        );
      }),
    );
  keys
    .command('list')
    .summary('list the keys of an organization')
    .description('Lists the keys of an organization, with when and from where each was used last.')
    .argument('<org>')
    .addHelpText('after', examples('dropslot keys list acme'))
    .action((id: string, _options, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const org = await place.org(id);
        await out.list(await listLoginKeys(place.control.read, org.id), keyList(id, place.now()));
      }),
    );
  keys
    .command('revoke')
    .summary('let a key log in no longer')
    .description('Revokes a key: it can log in no longer.')
    .argument('<org>')
    .argument('<fingerprint>', 'SHA256:…, or as much of its beginning as no other key shares')
    .addHelpText('after', examples('dropslot keys revoke acme SHA256:pX3k'))
    .action((id: string, fingerprint: string, _options, command: Command) =>
      atWorkplace(command, async (place, out) => {
        const key = await revokeKey(place, id, fingerprint);
        await out.show(keyToJson(key, place.now()), `Revoked ${key.fingerprint} of ${id}.`);
      }),
    );
}

function keyList(org: string, now: number): ListView<LoginKey> {
  return {
    columns: [
      { title: 'FINGERPRINT', cell: (key) => key.fingerprint },
      { title: 'TYPE', cell: (key) => key.algorithm },
      { title: 'LABEL', cell: (key) => key.label },
      { title: 'STATE', cell: (key) => stateOfKey(key, now) },
      { title: 'EXPIRES', cell: (key) => formatTime(key.expiresAt) },
      { title: 'FROM', cell: (key) => key.sources.join(' ') || 'anywhere' },
      { title: 'LAST USED', cell: (key) => [formatTime(key.lastUsedAt), key.lastUsedFrom ?? ''].join(' ').trim() },
    ],
    empty: `${org} has no keys: add one with "dropslot keys add ${org} FILE".`,
    toJson: (key) => keyToJson(key, now),
  };
}

function keyToJson(key: LoginKey, now: number): Record<string, unknown> {
  return {
    ...key,
    state: stateOfKey(key, now),
    expiresAt: isoTime(key.expiresAt),
    createdAt: isoTime(key.createdAt),
    revokedAt: isoTime(key.revokedAt),
    firstUsedAt: isoTime(key.firstUsedAt),
    lastUsedAt: isoTime(key.lastUsedAt),
  };
}

function readKeyFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AdminError(code === 'ENOENT' ? 'not_found' : 'failed', `${file} can't be read: ${message}`, { cause });
  }
}
