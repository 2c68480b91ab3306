/** curl, with libssh2. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { missing, type Ran } from '../../support/peers.js';
import { succeed } from '../cases.js';
import { type Client, type Step, startInTurn, versionOf } from '../client.js';
import type { Seat } from '../seat.js';

function options({ org, keyFile }: Seat): string[] {
  return ['-sS', '-k', '--key', keyFile, '--pubkey', `${keyFile}.pub`, '-u', `${org}:`];
}

function urlOf({ host, port }: Seat, path: string): string {
  return `sftp://${host}:${port}${path.split('/').map(encodeURIComponent).join('/')}`;
}

function curl(seat: Seat, ...args: string[]): Promise<Ran> {
  return seat.launch('curl', [...options(seat), ...args]).ended;
}

function say(seat: Seat, step: Step): string[] {
  if (step.do === 'list') return ['-l', urlOf(seat, `${step.folder}/`.replace('//', '/'))];
  if (step.do === 'get') return ['-o', step.to, urlOf(seat, step.from)];
  if (step.do === 'put') return ['-T', step.from, urlOf(seat, step.to)];
  if (step.do === 'resume') return ['-C', '-', '-T', step.from, urlOf(seat, step.to)];
  if (step.do === 'rename') return ['-o', '/dev/null', '-Q', `rename "${step.from}" "${step.to}"`, urlOf(seat, '/')];
  const files = (readdirSync(step.from, { recursive: true }) as string[]).filter((name) =>
    statSync(join(step.from, name)).isFile(),
  );
  return [
    '--ftp-create-dirs',
    ...files.flatMap((name) => ['-T', join(step.from, name), urlOf(seat, `${step.to}/${name}`)]),
  ];
}

export const client: Client = {
  name: 'curl',
  missing: missing('curl', 'curl'),
  version: () =>
    `${versionOf('curl', ['-V'], /^curl (\S+)/)} with libssh2 ${versionOf('curl', ['-V'], / libssh2\/(\S+)/)}`,
  key: 'ecdsa',
  keys: ['ed25519', 'ecdsa'],
  unable: { times: 'curl does not send times', replace: 'curl cannot rename a file to an existing name' },
  start: (seat, steps) => startInTurn(seat, steps, (step) => ['curl', [...options(seat), ...say(seat, step)]]),
  specials: {
    'one command uploads under a temporary name and renames: `-Q "-rename …"`': async (seat) => {
      const content = randomBytes(30_000);
      seat.file('a.csv', content);
      const rename = ['-Q', '-rename "/once.csv.part" "/once.csv"'];
      succeed(await curl(seat, '-T', 'a.csv', ...rename, urlOf(seat, '/once.csv.part')));
      await seat.expectQueued('/once.csv', content);
    },
    'quote commands: `mkdir`, `chmod`, `rm`, `rmdir`': async (seat) => {
      seat.file('a.csv', 'Team Name\n');
      succeed(await curl(seat, '-Q', 'mkdir /q', '-T', 'a.csv', '-Q', '-chmod 600 /q/a.csv', urlOf(seat, '/q/a.csv')));
      await seat.expectQueued('/q/a.csv', Buffer.from('Team Name\n'));
      succeed(await curl(seat, '-o', '/dev/null', '-Q', 'rm /q/a.csv', '-Q', 'rmdir /q', urlOf(seat, '/')));
      assert.ok(!(await seat.names('/')).includes('q'));
    },
    'a range of a file: `-r`': async (seat) => {
      const content = randomBytes(200_000);
      seat.file('a.csv', content);
      succeed(await curl(seat, '-T', 'a.csv', urlOf(seat, '/range.csv')));
      succeed(await curl(seat, '-r', '65000-70000', '-o', 'range', urlOf(seat, '/range.csv')));
      assert.deepEqual(seat.fetched('range'), content.subarray(65_000, 70_001));
    },
    'an RSA key logs in with SHA-2; libssh2 before 1.11 signs with SHA-1 only, and the log names that key': async (
      seat,
    ) => {
      const { code } = await curl(seat.move({ key: 'rsa' }), '-l', urlOf(seat, '/'));
      if (code === 0) return;
      const told = seat.log().find(({ message, ...rest }) => /SHA-1/.test(JSON.stringify([message, rest])));
      assert.match(JSON.stringify(told), new RegExp(`libssh2.*${'SHA256:'}|SHA256:.*libssh2`));
    },
  },
};
