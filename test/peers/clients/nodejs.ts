/** ssh2-sftp-client, the library of most Node.js programs: a small program that does the steps it reads. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { succeed } from '../cases.js';
import type { Client, Running } from '../client.js';
import type { Seat } from '../seat.js';
import { linesOf } from './python.js';

const program = fileURLToPath(new URL('steps.mjs', import.meta.url));

function start({ launch, host, port, org, keyFile }: Seat, lines: readonly string[][]): Running {
  const input = lines.map((words) => `${words.join('\t')}\n`).join('');
  return launch(process.execPath, [program, host, String(port), org, keyFile], input);
}

function readVersion(): string {
  const manifest = createRequire(import.meta.url).resolve('ssh2-sftp-client/package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}

export const client: Client = {
  name: 'ssh2-sftp-client',
  missing: false,
  version: readVersion,
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: { times: 'it has no function that sends times' },
  start: (seat, steps) => start(seat, linesOf(steps)),
  specials: {
    '`put` of a buffer and of a stream, `append`': async (seat) => {
      const content = randomBytes(200_000);
      const from = seat.file('a.csv', content);
      const lines = [
        ['putBuffer', from, '/buffer.csv'],
        ['putStream', from, '/stream.csv'],
        ['append', from, '/buffer.csv'],
      ];
      succeed(await start(seat, lines).ended);
      await seat.expectQueued('/buffer.csv', Buffer.concat([content, content]));
      await seat.expectQueued('/stream.csv', content);
    },
    '`createWriteStream` and `createReadStream`': async (seat) => {
      const content = randomBytes(3_000_000);
      const from = seat.file('a.csv', content);
      const to = `${seat.folder}/streamed.csv`;
      succeed(
        await start(seat, [
          ['writeStream', from, '/streams.csv'],
          ['readStream', '/streams.csv', to],
        ]).ended,
      );
      await seat.expectQueued('/streams.csv', content);
      assert.deepEqual(seat.fetched('streamed.csv'), content);
    },
    'nested `mkdir` and `rmdir`, `exists`': async (seat) => {
      assert.equal(succeed(await start(seat, [['folders']]).ended).stdout, 'false d\n');
    },
  },
};
