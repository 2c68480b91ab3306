/** lftp, which runs OpenSSH's ssh and speaks SFTP through it. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { missing } from '../../support/peers.js';
import { succeed } from '../cases.js';
import { type Client, quote, type Running, type Step, versionOf } from '../client.js';
import type { Seat } from '../seat.js';
import { sshOptions } from './openssh.js';

function startLftp(seat: Seat, commands: readonly string[]): Running {
  const all = [
    'set cmd:fail-exit yes',
    'set net:max-retries 1',
    'set sftp:charset UTF-8',
    `set sftp:connect-program "ssh -a -x ${sshOptions(seat).join(' ')}"`,
    `open -u ${seat.org}, -p ${seat.port} sftp://${seat.host}`,
    ...commands,
  ];
  return seat.launch('lftp', ['--norc', '-c', all.join('; ')]);
}

function say(step: Step): string {
  if (step.do === 'list') return `cls -1 ${quote(step.folder)}`;
  const [from, to] = [quote(step.from), quote(step.to)];
  if (step.do === 'put') return `put ${from} -o ${to}`;
  if (step.do === 'resume') return `put -c ${from} -o ${to}`;
  if (step.do === 'putTree') return `mirror -R ${from} ${to}`;
  if (step.do === 'get') return `get ${from} -o ${to}`;
  return `mv ${from} ${to}`;
}

export const lftp: Client = {
  name: 'lftp',
  missing: missing('lftp', 'lftp') || missing('ssh', 'openssh-client'),
  version: () => versionOf('lftp', ['--version'], /Version (\S+)/),
  key: 'ed25519',
  keys: ['ed25519', 'ecdsa', 'rsa'],
  unable: { replace: 'lftp cannot rename a file to an existing name' },
  start: (seat, steps) => startLftp(seat, steps.map(say)),
  specials: {
    '`mirror -R -P 4` sends four files at once; a second one sends nothing': async (seat) => {
      const files = Array.from({ length: 8 }, (_, n) => [`m${n}.csv`, randomBytes(200_000 + n)] as const);
      for (const [name, content] of files) seat.file(`mirror/${name}`, content);
      succeed(await startLftp(seat, ['mirror -R -P 4 mirror /mirror']).ended);
      for (const [name, content] of files) await seat.expectQueued(`/mirror/${name}`, content);
      const before = (await seat.queued()).map(({ id }) => id);
      succeed(await startLftp(seat, ['mirror -R -P 4 mirror /mirror']).ended);
      assert.deepEqual(
        (await seat.queued()).map(({ id }) => id),
        before,
      );
      succeed(await startLftp(seat, ['mirror -P 4 /mirror back']).ended);
      for (const [name, content] of files) assert.deepEqual(seat.fetched(`back/${name}`), content);
    },
    '`pget -n 4` downloads a file in four parts': async (seat) => {
      const content = randomBytes(3_000_000);
      seat.file('parts.csv', content);
      succeed(await startLftp(seat, ['put parts.csv', 'pget -n 4 /parts.csv -o parts.back']).ended);
      assert.deepEqual(seat.fetched('parts.back'), content);
    },
    '`mirror -c -R` resumes an interrupted upload': async (seat) => {
      const content = randomBytes(2_000_000);
      seat.file('c/c.csv', content.subarray(0, 700_000));
      succeed(await startLftp(seat, ['mirror -R c /c']).ended);
      seat.file('c/c.csv', content);
      succeed(await startLftp(seat, ['mirror -c -R c /c']).ended);
      await seat.expectQueued('/c/c.csv', content);
    },
  },
};
