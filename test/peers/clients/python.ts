/** Python's libraries: paramiko and AsyncSSH, each in a small program that does the steps it reads. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { succeed } from '../cases.js';
import { type Client, type Running, type Step, versionOf } from '../client.js';
import type { Seat } from '../seat.js';

export const python = '/usr/bin/python3';

function absent(module: string): string | false {
  const { status } = spawnSync(python, ['-c', `import ${module}`]);
  return status === 0 ? false : `${module} is NOT INSTALLED: apt-get install python3-${module}`;
}

/** A program of this folder that takes host, port, user, key file and its type, and steps as lines. */
export function linesOf(steps: readonly Step[]): string[][] {
  return steps.map((step) => (step.do === 'list' ? [step.do, step.folder] : [step.do, step.from, step.to]));
}

function start(seat: Seat, program: string, lines: readonly string[][], more: readonly string[] = []): Running {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const { host, port, org, keyFile, keyType } = seat;
  const input = lines.map((words) => `${words.join('\t')}\n`).join('');
  return seat.launch(python, ['-I', path, host, String(port), org, keyFile, keyType, ...more], input);
}

function clientOf(name: string, module: string, specials: (run: Run) => Client['specials']): Client {
  const program = `${module}.py`;
  return {
    name,
    missing: absent(module),
    version: () => versionOf(python, ['-c', `import ${module}; print(${module}.__version__)`], /^(\S+)/),
    key: 'ed25519',
    keys: ['ed25519', 'ecdsa', 'rsa'],
    unable: {},
    start: (seat, steps) => start(seat, program, linesOf(steps)),
    specials: specials((seat, ...lines) => start(seat, program, lines).ended),
  };
}

type Run = (seat: Seat, ...lines: string[][]) => Running['ended'];

export const paramiko = clientOf('paramiko', 'paramiko', (run) => ({
  'a thousand small writes without waiting for answers, `open(…, "a")`, `truncate`': async (seat) => {
    succeed(await run(seat, ['write_lines', '/lines.csv', '1000'], ['truncate', '/lines.csv', '24']));
    await seat.expectQueued('/lines.csv', Buffer.from('Team 0,owner@acme.test\nT'));
  },
  '`SFTPFile.check`: checksums by the server, of a file and of a part of it': async (seat) => {
    const from = seat.file('a.csv', randomBytes(300_000));
    succeed(await run(seat, ['put', from, '/check.csv'], ['check', from, '/check.csv']));
  },
  '`putfo`, and `prefetch` with many unanswered reads': async (seat) => {
    const content = randomBytes(3_000_000);
    const from = seat.file('a.csv', content);
    succeed(await run(seat, ['put_stream', from, '/stream.csv'], ['get_ahead', '/stream.csv', 'ahead.csv']));
    await seat.expectQueued('/stream.csv', content);
    assert.deepEqual(seat.fetched('ahead.csv'), content);
  },
}));

export const asyncssh = clientOf('AsyncSSH', 'asyncssh', (run) => ({
  're-keying after each megabyte, during an upload': async (seat) => {
    const content = randomBytes(6 * 1024 * 1024);
    const from = seat.file('rekeyed.csv', content);
    const to = `${seat.folder}/rekeyed.back`;
    const lines = [
      ['put', from, '/rekeyed.csv'],
      ['get', '/rekeyed.csv', to],
    ];
    succeed(await start(seat, 'asyncssh.py', lines, ['1m']).ended);
    await seat.expectQueued('/rekeyed.csv', content);
    assert.deepEqual(seat.fetched('rekeyed.back'), content);
  },
  '`mput` with a pattern, `glob`, `truncate`, `rmtree`': async (seat) => {
    const files = ['x1.csv', 'x2.csv'].map((name) => [name, randomBytes(70_000)] as const);
    for (const [name, content] of files) seat.file(`many/${name}`, content);
    const to = seat.file('many/tree/deep.csv', 'x').replace('/deep.csv', '');
    const { stdout } = succeed(
      await run(
        seat,
        ['mput', `${seat.folder}/many/x*.csv`, '/'],
        ['truncate', '/x2.csv', '65536'],
        ['glob_sizes', '/x*.csv'],
        ['putTree', to, '/tree'],
        ['rmtree', '/tree'],
      ),
    );
    assert.equal(stdout.trim(), String(70_000 + 65_536));
    await seat.expectQueued('/x1.csv', files[0]![1]);
    await seat.expectQueued('/x2.csv', files[1]![1].subarray(0, 65_536));
  },
}));
