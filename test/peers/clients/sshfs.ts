/** sshfs: programs that know nothing of SFTP work on files there, rsync among them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { newKeyPair, writeKeyFile } from '../../support/keys.js';
import { missing, type Ran } from '../../support/peers.js';
import { until } from '../../support/session.js';
import { succeed } from '../cases.js';
import { type Client, quote, type Running, type Step, versionOf } from '../client.js';
import type { Seat } from '../seat.js';
import { sshOptions } from './openssh.js';

/**
 * Runs a shell script whose working folder is the mounted root; the mount is gone at its end. The kernel tells sshfs of a
 * close without waiting for it, and an unmount at that moment drops it: a look at a name that nothing knows goes to the
 * server after it. ssh outlives sshfs, and the server answers neither: its log tells when the session has ended.
 */
function startMounted(seat: Seat, script: readonly string[]): Running {
  const mount = mkdtempSync(join(seat.folder, 'mount-'));
  const { org, host, port } = seat;
  // ssh's own options are sshfs's too; -F is a flag of its own.
  const options = sshOptions(seat).filter((option) => option.includes('='));
  const args = [`${org}@${host}:/`, mount, '-f', '-p', String(port), '-F', '/dev/null'];
  const sshfs = [
    'sshfs',
    ...args,
    '-o',
    `IdentityFile=${seat.keyFile}`,
    ...options.flatMap((option) => ['-o', option]),
  ];
  const lines = [
    `${sshfs.map(quote).join(' ')} & daemon=$!`,
    'trap "stat nothing-yet >/dev/null 2>&1 || true; cd /; fusermount -u -z $mount; wait $daemon" EXIT',
    'until mountpoint -q $mount; do kill -0 $daemon || exit 70; sleep 0.05; done',
    'cd $mount',
    'set -e',
    ...script,
  ];
  const running = seat.launch('bash', ['-c', [`mount=${mount}`, ...lines].join('\n')]);
  const kill = () => {
    running.kill();
    spawnSync('fusermount', ['-u', '-z', mount]);
  };
  const countLogouts = () => seat.log().filter((line) => line.message === 'logged out' && line.org === org).length;
  const before = countLogouts();
  const ended = running.ended.then(async (ran) => {
    await until(() => countLogouts() > before, 'the end of the session');
    return ran;
  });
  return { kill, ended };
}

function say(step: Step): string {
  if (step.do === 'list') return `ls .${step.folder}`;
  if (step.do === 'get') return `cp ${quote(`.${step.from}`)} ${quote(step.to)}`;
  if (step.do === 'rename') return `mv ${quote(`.${step.from}`)} ${quote(`.${step.to}`)}`;
  return `cp -rp ${quote(step.from)} ${quote(`.${step.to}`)}`;
}

/** Mounting needs a privilege that not every container has: asked once, by mounting nothing. */
function findObstacle(): string | false {
  const absent =
    missing('sshfs', 'sshfs') ||
    missing('fusermount', 'fuse3') ||
    missing('ssh', 'openssh-client') ||
    missing('rsync', 'rsync');
  if (absent !== false) return absent;
  // A server that hangs up at once, on a folder that sshfs mounts before it: fuse itself says whether it may.
  const folder = mkdtempSync('/tmp/dropslot-mount-');
  try {
    mkdirSync(join(folder, 'at'));
    const key = writeKeyFile(folder, newKeyPair());
    const args = ['nobody@127.0.0.1:/', join(folder, 'at'), '-p', '1', '-o', `IdentityFile=${key},delay_connect`];
    const { status, stderr } = spawnSync('sshfs', args, { encoding: 'utf8' });
    spawnSync('fusermount', ['-u', '-z', join(folder, 'at')]);
    return status === 0 ? false : `this machine lets nobody mount: ${stderr.trim()}`;
  } finally {
    spawnSync('rm', ['-rf', '--one-file-system', folder]);
  }
}

const run = (seat: Seat, ...script: string[]): Promise<Ran> => startMounted(seat, script).ended;

export const client: Client = {
  name: 'sshfs',
  missing: findObstacle(),
  version: () => versionOf('sshfs', ['--version'], /SSHFS version (\S+)/),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: { resume: '`cp` always sends the whole file' },
  start: (seat, steps) => startMounted(seat, steps.map(say)),
  specials: {
    '`cat`, `echo >>`, `truncate`, `mkdir`, `mv`, `touch -d`, `rm`': async (seat) => {
      const { stdout } = succeed(
        await run(
          seat,
          'mkdir shell',
          'echo "Team Name" > shell/t.tmp',
          'echo Sales >> shell/t.tmp',
          'stat -c %a shell/t.tmp',
          'mv shell/t.tmp teams.csv',
          'rmdir shell',
          'touch -d 2026-01-31T10:00:00Z teams.csv',
          'cat teams.csv',
          'echo to be cut > cut.csv',
          'truncate -s 5 cut.csv',
          'rm -f nothing.csv',
        ),
      );
      // The `>>` keeps the mode: sshfs opens with mode 0.
      assert.equal(stdout, '644\nTeam Name\nSales\n');
      await seat.expectQueued('/teams.csv', Buffer.from('Team Name\nSales\n'));
      assert.equal((await seat.entry('/teams.csv')).mtimeMs, Date.UTC(2026, 0, 31, 10));
      await seat.expectQueued('/cut.csv', Buffer.from('to be'));
    },
    '`echo >>` sixty times, one after the other: no line is lost, although sshfs sends each CLOSE late': async (
      seat,
    ) => {
      succeed(await run(seat, 'for number in $(seq 60); do echo "line $number" >> log.csv; done'));
      const lines = Array.from({ length: 60 }, (_, at) => `line ${at + 1}\n`);
      await seat.expectQueued('/log.csv', Buffer.from(lines.join('')));
    },
    '`rsync` to the mounted folder, with temporary names that begin with a dot; a second run sends nothing': async (
      seat,
    ) => {
      const content = randomBytes(300_000);
      seat.file('rsync/a.csv', content);
      succeed(await run(seat, `rsync -rt ${seat.folder}/rsync/ ./rsync/`));
      await seat.expectQueued('/rsync/a.csv', content);
      const before = (await seat.queued()).map(({ id }) => id);
      succeed(await run(seat, `rsync -rt ${seat.folder}/rsync/ ./rsync/`));
      assert.deepEqual(
        (await seat.queued()).map(({ id }) => id),
        before,
      );
    },
    'renames and removes a file that a program has open; `df` shows the quota': async (seat) => {
      const { stdout } = succeed(
        await run(
          seat,
          ...['exec 3>open.tmp', 'echo one >&3', 'mv open.tmp open.csv', 'echo two >&3', 'exec 3>&-', 'cat open.csv'],
          ...['exec 3>gone.csv', 'echo one >&3', 'rm gone.csv', 'echo two >&3', 'exec 3>&-'],
          'ls -A | grep -c gone || true',
          "df -B1 . | awk 'NR==2 {print $2}'",
        ),
      );
      assert.equal(stdout, 'one\ntwo\n0\n107374182400\n');
      await seat.expectQueued('/open.csv', Buffer.from('one\ntwo\n'));
      assert.ok(!(await seat.queued()).some(({ path }) => path === '/gone.csv'));
    },
    '`dd conv=notrunc` writes blocks out of order into the middle of a file': async (seat) => {
      const content = randomBytes(300_000);
      seat.file('a.csv', content);
      seat.file('middle', Buffer.alloc(4096, 'x'));
      succeed(
        await run(
          seat,
          `cp ${seat.folder}/a.csv dd.csv`,
          `dd if=${seat.folder}/middle of=dd.csv bs=4096 seek=20 conv=notrunc status=none`,
        ),
      );
      content.fill('x', 20 * 4096, 21 * 4096);
      await seat.expectQueued('/dd.csv', content);
    },
  },
};
