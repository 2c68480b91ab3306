/** PuTTY's psftp and pscp. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { missingModern, modernClient } from '../../support/modern.js';
import { missing } from '../../support/peers.js';
import { succeed } from '../cases.js';
import { type Client, quote, type Running, type Step, startInTurn, versionOf } from '../client.js';
import type { Seat } from '../seat.js';

const absent = missing('psftp', 'putty-tools') || missing('puttygen', 'putty-tools');
const versionFrom = (program: string) => () => versionOf(program, ['-V'], /Release (\S+)/);

/** PuTTY and FileZilla read keys in PuTTY's own format. */
export function ppkOf({ keyFile }: Seat): string {
  const key = `${keyFile}.ppk`;
  if (!existsSync(key)) execFileSync('puttygen', [keyFile, '-O', 'private', '-o', key]);
  return key;
}

function options(seat: Seat): string[] {
  const hostKeys = seat.hostKeys.flatMap((hostKey) => ['-hostkey', hostKey]);
  return ['-batch', '-P', String(seat.port), '-i', ppkOf(seat), ...hostKeys];
}

function startPsftp(seat: Seat, commands: readonly string[], program = 'psftp'): Running {
  const batch = seat.file('batch', `${commands.join('\n')}\nquit\n`);
  return seat.launch(program, [...options(seat), '-b', batch, `${seat.org}@${seat.host}`]);
}

function say(step: Step): string {
  if (step.do === 'list') return `ls ${quote(step.folder)}`;
  const names = `${quote(step.from)} ${quote(step.to)}`;
  const verbs = { put: 'put', resume: 'reput', putTree: 'put -r', get: 'get', rename: 'mv' };
  return `${verbs[step.do]} ${names}`;
}

export const psftp: Client = {
  name: 'PuTTY psftp',
  missing: absent,
  version: versionFrom('psftp'),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: { times: 'psftp does not send times', replace: 'psftp cannot rename a file to an existing name' },
  start: (seat, steps) => startPsftp(seat, steps.map(say)),
  specials: {
    'folders and permissions: `mkdir`, `chmod`, `rmdir`, `del`': async (seat) => {
      const content = randomBytes(30_000);
      seat.file('a.csv', content);
      succeed(await startPsftp(seat, ['mkdir made', 'cd made', 'put a.csv', 'chmod 600 a.csv', 'ls']).ended);
      await seat.expectQueued('/made/a.csv', content);
      succeed(await startPsftp(seat, ['del made/a.csv', 'rmdir made']).ended);
      assert.ok(!(await seat.names('/')).includes('made'));
    },
  },
};

export const modernPsftp: Client = {
  ...psftp,
  name: 'PuTTY psftp of Debian 13',
  missing: absent || missingModern('stable'),
  version: versionFrom(modernClient('stable', 'psftp')),
  start: (seat, steps) => startPsftp(seat, steps.map(say), modernClient('stable', 'psftp')),
  specials: {},
};

export const pscp: Client = {
  name: 'PuTTY pscp',
  missing: missing('pscp', 'putty-tools') || absent,
  version: versionFrom('pscp'),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: { resume: 'pscp always sends the whole file', rename: 'pscp can only copy files' },
  start: (seat, steps) =>
    startInTurn(seat, steps, (step) => {
      if (step.do === 'rename' || step.do === 'resume') throw new Error(`pscp cannot ${step.do}`);
      const there = (path: string) => `${seat.org}@${seat.host}:${path}`;
      if (step.do === 'list') return ['pscp', ['-sftp', ...options(seat), '-ls', there(step.folder)]];
      const common = ['-sftp', ...options(seat), '-p', '-q'];
      // A folder goes into one that is there, and keeps its name.
      if (step.do === 'putTree') return ['pscp', [...common, '-r', step.from, there(dirname(step.to))]];
      const names = step.do === 'get' ? [there(step.from), step.to] : [step.from, there(step.to)];
      return ['pscp', [...common, ...names]];
    }),
  specials: {},
};
