/** rclone, which asks for a shell to make checksums there, and must do without. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { missing, type Ran } from '../../support/peers.js';
import { succeed } from '../cases.js';
import { type Client, type Step, startInTurn, versionOf } from '../client.js';
import type { Seat } from '../seat.js';

const common = ['--config', '/dev/null', '--retries', '1', '--low-level-retries', '1'];

function remote({ host, port, org, keyFile }: Seat, path: string): string {
  return `:sftp,host=${host},port=${port},user=${org},key_file="${keyFile}":${path}`;
}

function rclone(seat: Seat, ...args: string[]): Promise<Ran> {
  return seat.launch('rclone', [...common, ...args]).ended;
}

function say(seat: Seat, step: Step): string[] {
  if (step.do === 'list') return ['lsf', remote(seat, step.folder)];
  if (step.do === 'get') return ['copyto', remote(seat, step.from), step.to];
  if (step.do === 'rename') return ['moveto', remote(seat, step.from), remote(seat, step.to)];
  if (step.do === 'putTree') return ['copy', step.from, remote(seat, step.to)];
  return ['copyto', '--ignore-times', step.from, remote(seat, step.to)];
}

export const client: Client = {
  name: 'rclone',
  missing: missing('rclone', 'rclone'),
  version: () => versionOf('rclone', ['version'], /^rclone v?(\S+)/),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: { resume: 'rclone always sends the whole file' },
  start: (seat, steps) => startInTurn(seat, steps, (step) => ['rclone', [...common, ...say(seat, step)]]),
  specials: {
    '`sync` copies a folder; a second `sync` sends nothing': async (seat) => {
      const content = randomBytes(150_000);
      seat.file('sync/a.csv', content);
      seat.file('sync/b.csv', 'old');
      succeed(await rclone(seat, 'sync', 'sync', remote(seat, '/sync')));
      await seat.expectQueued('/sync/a.csv', content);
      const before = (await seat.queued()).map(({ id }) => id);
      succeed(await rclone(seat, 'sync', 'sync', remote(seat, '/sync')));
      assert.deepEqual(
        (await seat.queued()).map(({ id }) => id),
        before,
      );
      seat.file('sync/b.csv', 'newer');
      succeed(await rclone(seat, 'sync', 'sync', remote(seat, '/sync')));
      await seat.expectQueued('/sync/b.csv', Buffer.from('newer'));
    },
    '`check` finds no checksums on the server and compares sizes; `check --download` compares the bytes': async (
      seat,
    ) => {
      seat.file('check/a.csv', randomBytes(150_000));
      succeed(await rclone(seat, 'copy', 'check', remote(seat, '/check')));
      const { stderr } = succeed(await rclone(seat, 'check', 'check', remote(seat, '/check')));
      assert.match(stderr, /0 differences found/);
      succeed(await rclone(seat, 'check', '--download', 'check', remote(seat, '/check')));
      seat.file('check/a.csv', randomBytes(150_000));
      assert.notEqual((await rclone(seat, 'check', '--download', 'check', remote(seat, '/check'))).code, 0);
    },
    '`--checksum` falls back to sizes': async (seat) => {
      const content = randomBytes(150_000);
      seat.file('sums/a.csv', content);
      for (const _ of [1, 2]) succeed(await rclone(seat, 'copy', '--checksum', 'sums', remote(seat, '/sums')));
      await seat.expectQueued('/sums/a.csv', content);
    },
    '`--sftp-shell-type none` prevents its request for a shell': async (seat) => {
      seat.file('a.csv', 'Team Name\nSales\n');
      const { stderr } = succeed(
        await rclone(seat, '--sftp-shell-type', 'none', '-vv', 'copyto', 'a.csv', remote(seat, '/none.csv')),
      );
      assert.doesNotMatch(stderr, /remote command|exec/i);
      await seat.expectQueued('/none.csv', Buffer.from('Team Name\nSales\n'));
    },
    'an interrupted upload does not count as the file, even if only sizes are compared': async (seat) => {
      const content = randomBytes(150_000);
      seat.file('a.csv', content);
      for (const _ of [1, 2]) succeed(await rclone(seat, '--size-only', 'copyto', 'a.csv', remote(seat, '/size.csv')));
      await seat.expectQueued('/size.csv', content);
    },
    '`cat`, `size`, `deletefile`, `mkdir`, `rmdir`': async (seat) => {
      seat.file('a.csv', 'Team Name\nSales\n');
      succeed(await rclone(seat, 'mkdir', remote(seat, '/made')));
      succeed(await rclone(seat, 'copyto', 'a.csv', remote(seat, '/made/a.csv')));
      assert.equal(succeed(await rclone(seat, 'cat', remote(seat, '/made/a.csv'))).stdout, 'Team Name\nSales\n');
      assert.match(succeed(await rclone(seat, 'size', remote(seat, '/made'))).stdout, /16 B/);
      succeed(await rclone(seat, 'deletefile', remote(seat, '/made/a.csv')));
      succeed(await rclone(seat, 'rmdir', remote(seat, '/made')));
      assert.ok(!(await seat.names('/')).includes('made'));
    },
  },
};
