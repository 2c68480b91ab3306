/** The log file of several processes: rotated by size, moved away by others, on a disk that fails. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type LogFile, type LogFileOptions, openLogFile } from '../../config/logfile.js';
import { createServerLogger } from '../../config/logger.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

function openLog(t: TestContext, change: Partial<LogFileOptions> = {}): LogFile & { file: string; told: string[] } {
  const told: string[] = [];
  const file = change.file ?? join(temporaryFolder(t), 'dropslot.log');
  const fallback = (text: string) => void told.push(text);
  const log = openLogFile({ file, mostBytes: null, kept: 2, fallback, everyMs: 5, ...change });
  t.after(() => void log.destroy());
  return Object.assign(log, { file, told });
}

const oldFiles = (file: string) =>
  readdirSync(join(file, '..'))
    .map((name) => join(file, '..', name))
    .filter((name) => name !== file)
    .sort();

test('a file that has reached its size is renamed, and the oldest ones are removed', async (t) => {
  let at = Date.UTC(2026, 0, 1);
  const log = openLog(t, { mostBytes: 10, now: () => at });
  for (const line of ['first line\n', 'second line\n', 'third line\n', 'fourth line\n']) {
    const before = oldFiles(log.file).at(-1);
    log.write(line);
    at += 60_000;
    await until(() => oldFiles(log.file).at(-1) !== before, 'the rotation');
  }
  log.write('rest\n');
  assert.deepEqual(
    [...oldFiles(log.file), log.file].map((name) => readFileSync(name, 'utf8')),
    ['third line\n', 'fourth line\n', 'rest\n'],
  );
  assert.match(oldFiles(log.file)[0]!, /dropslot\.log\.2026-01-01T00-03-00-000Z$/);
  assert.deepEqual(log.told, []);
});

test('a clock that went back removes older files, and never the newest', async (t) => {
  const times = [Date.UTC(2026, 5, 1), Date.UTC(2026, 5, 2), Date.UTC(2020, 0, 1)];
  let at = 0;
  const log = openLog(t, { mostBytes: 2, kept: 1, now: () => times[at]! });
  for (const line of ['one\n', 'two\n', 'three\n']) {
    const before = readFileSync(log.file, 'utf8');
    assert.equal(before, '');
    log.write(line);
    await until(() => existsSync(log.file) && readFileSync(log.file, 'utf8') === '', 'the rotation');
    at = Math.min(at + 1, times.length - 1);
  }
  assert.deepEqual(
    oldFiles(log.file).map((name) => readFileSync(name, 'utf8')),
    ['three\n'],
  );
});

test('a file that another program moved away gets a successor, at once when it is told', async (t) => {
  const log = openLog(t, { everyMs: 60_000 });
  log.write('one\n');
  renameSync(log.file, `${log.file}.1`);
  log.write('two\n');
  log.reopen();
  log.write('three\n');
  assert.equal(readFileSync(`${log.file}.1`, 'utf8'), 'one\ntwo\n');
  assert.equal(readFileSync(log.file, 'utf8'), 'three\n');
  const other = openLog(t, { file: log.file });
  renameSync(log.file, `${log.file}.2`);
  await until(() => existsSync(log.file), 'it to be noticed');
  other.write('four\n');
  assert.equal(readFileSync(log.file, 'utf8'), 'four\n');
});

test('lines that cannot be written are not lost: they are written to standard error', async (t) => {
  const log = openLog(t, { file: '/dev/full' });
  log.write('one\n');
  log.write('two\n');
  assert.deepEqual(log.told.slice(1), ['one\n', 'two\n']);
  assert.match(log.told[0]!, /^dropslot: could not write the log \/dev\/full \(ENOSPC/);
});

test('a file that cannot be opened ends the start, with what to do', (t) => {
  const folder = join(temporaryFolder(t), 'log');
  mkdirSync(folder);
  const settings = { logLevel: 'info', logFormat: 'json', logFileBytes: 0, logFiles: 1 } as const;
  assert.throws(() => createServerLogger({ ...settings, logFile: folder }, true), {
    name: 'SettingsError',
    message: /^logFile: can't write .* \(it is a folder\): name a file in a folder that this user may write to$/,
  });
});

test('processes that write while the file is rotated lose no line and tear none', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'dropslot.log');
  const program = join(folder, 'writer.mts');
  const each = 800;
  writeFileSync(
    program,
    `import { openLogFile } from ${JSON.stringify(join(import.meta.dirname, '../../config/logfile.ts'))};
const [name, rotates] = process.argv.slice(2);
const log = openLogFile({ file: ${JSON.stringify(file)}, mostBytes: rotates === 'yes' ? 20_000 : null, kept: 1000, everyMs: 2, fallback: () => {} });
for (let line = 0; line < ${each}; line++) {
  log.write(JSON.stringify({ name, line, text: 'x'.repeat(line % 300) }) + '\\n');
  if (line % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
}
process.exit(0);`,
  );
  const writers = ['a', 'b', 'c'].map((name) =>
    fork(program, [name, name === 'a' ? 'yes' : 'no'], { execArgv: ['--import', 'tsx'] }),
  );
  const codes = await Promise.all(writers.map((writer) => once(writer, 'exit')));
  assert.deepEqual(
    codes.map(([code]) => code),
    [0, 0, 0],
  );
  const files = [...oldFiles(file).filter((name) => name.startsWith(`${file}.`)), file];
  assert.ok(files.length > 3, 'it was rotated');
  const lines = files.flatMap((name) => readFileSync(name, 'utf8').split('\n').slice(0, -1));
  const read = lines.map((line) => JSON.parse(line) as { name: string; line: number });
  for (const name of ['a', 'b', 'c'])
    assert.deepEqual(
      read
        .filter((one) => one.name === name)
        .map((one) => one.line)
        .sort((one, other) => one - other),
      Array.from({ length: each }, (_, line) => line),
    );
});
