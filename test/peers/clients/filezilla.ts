/** FileZilla, without its windows: the program that it does SFTP with, driven as FileZilla drives it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { missing } from '../../support/peers.js';
import { succeed } from '../cases.js';
import { type Client, packageVersion, type Running } from '../client.js';
import type { Seat } from '../seat.js';
import { ppkOf } from './putty.js';
import { linesOf, python } from './python.js';

const driver = fileURLToPath(new URL('filezilla.py', import.meta.url));

function start(seat: Seat, lines: readonly string[][]): Running {
  const input = lines.map((words) => `${words.join('\t')}\n`).join('');
  return seat.launch(python, ['-I', driver, seat.host, String(seat.port), seat.org, ppkOf(seat)], input);
}

export const client: Client = {
  name: 'FileZilla',
  missing:
    missing('fzsftp', 'filezilla') ||
    missing('puttygen', 'putty-tools') ||
    (existsSync(python) ? false : `${python} is NOT INSTALLED: apt-get install python3`),
  version: () => packageVersion('filezilla'),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: { replace: 'FileZilla cannot rename a file to an existing name' },
  start: (seat, steps) => start(seat, linesOf(steps)),
  specials: {
    'folders: `mkdir`, `rm`, `rmdir`': async (seat) => {
      const content = randomBytes(70_000);
      const from = seat.file('a.csv', content);
      succeed(
        await start(seat, [
          ['say', 'mkdir "/made"'],
          ['put', from, '/made/a.csv'],
        ]).ended,
      );
      await seat.expectQueued('/made/a.csv', content);
      succeed(
        await start(seat, [
          ['say', 'rm "/made/a.csv"'],
          ['say', 'rmdir "/made"'],
        ]).ended,
      );
      assert.ok(!(await seat.names('/')).includes('made'));
    },
  },
};
