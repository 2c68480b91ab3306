/** When a process of the importer is ended: after a silence, or a budget of one file that is spent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChildState } from '../../app/importermessages.js';
import { watchProcess } from '../../app/importerwatch.js';
import { readWaitedMs } from '../../app/processortime.js';

const mebibyte = 1024 ** 2;
const budgets = {
  ...{ sqliteDriver: 'sqlite3' as const, leaseSeconds: 30 },
  ...{ importerMemoryBytes: 512 * mebibyte, maxFileMinutes: 2, maxCheckMinutes: 1 },
};
const reading: ChildState = { work: 'run', upload: 7, memoryBytes: mebibyte };

/** A watch whose ticks are a second apart, unless the clock is moved. */
function openWatch(readWaited = () => 0) {
  let now = 0;
  const watch = watchProcess(budgets, () => now, readWaited);
  const tick = (ms = 1_000) => {
    now += ms;
    return watch.tick();
  };
  /** How many seconds pass until a verdict; null: none in that time. */
  const secondsUntilVerdict = (most: number, state?: ChildState) => {
    for (let second = 1; second <= most; second++) {
      if (state !== undefined) watch.beat(state);
      const verdict = tick();
      if (verdict !== null) return { second, ...verdict };
    }
    return null;
  };
  return { watch, tick, secondsUntilVerdict };
}

test('a process that does not answer is ended before its lease is over', () => {
  const { watch, secondsUntilVerdict } = openWatch();
  watch.beat(reading);
  assert.deepEqual(secondsUntilVerdict(60), { second: 21, cause: 'hung', upload: 7 });
});

test('a process that waits for a processor does not hang; one that has it and is silent does', () => {
  for (const [share, second] of [
    [0.9, null],
    [0.5, 41],
    [0, 21],
  ] as const) {
    let waited = 0;
    const { watch, secondsUntilVerdict } = openWatch(() => {
      return waited;
    });
    watch.beat(reading);
    let found: number | null = null;
    for (let at = 1; at <= 60 && found === null; at++) {
      waited += share * 1_000;
      if (secondsUntilVerdict(1) !== null) found = at;
    }
    assert.equal(found, second, `${share}`);
  }
});

test('a process that starts has more time, and one that answers has all', () => {
  const { secondsUntilVerdict } = openWatch();
  assert.equal(secondsUntilVerdict(100), null);
  assert.equal(secondsUntilVerdict(1_000, { ...reading, work: null, upload: null }), null);
});

test('a file has its budget of time, in a run and in a check, also if others are read in between', () => {
  for (const [work, seconds, cause] of [
    ['run', 120, 'time'],
    ['check', 60, 'check_time'],
  ] as const) {
    const { watch, secondsUntilVerdict } = openWatch();
    watch.beat({ ...reading, work });
    assert.deepEqual(secondsUntilVerdict(seconds - 10, { ...reading, work }), null);
    assert.deepEqual(secondsUntilVerdict(50, { ...reading, work, upload: 8 }), null);
    assert.deepEqual(secondsUntilVerdict(20, { ...reading, work }), { second: 11, cause, upload: 7 });
  }
});

test('the next run begins with a whole budget', () => {
  const { secondsUntilVerdict } = openWatch();
  assert.equal(secondsUntilVerdict(110, reading), null);
  assert.equal(secondsUntilVerdict(1, { ...reading, work: null, upload: null }), null);
  assert.equal(secondsUntilVerdict(110, reading), null);
});

test('a process that needs too much memory is ended', () => {
  const { watch, tick } = openWatch();
  watch.beat({ ...reading, memoryBytes: 513 * mebibyte });
  assert.deepEqual(tick(), { cause: 'memory', upload: 7 });
});

test('a machine that was suspended for a night blames no file', () => {
  const { watch, tick } = openWatch();
  watch.beat(reading);
  assert.equal(tick(8 * 3_600_000), null);
});

test('the time that a process waited for a processor is read where the system tells it', () => {
  assert.ok(readWaitedMs(process.pid) >= (process.platform === 'linux' ? Number.MIN_VALUE : 0));
  assert.equal(readWaitedMs(undefined), 0);
  assert.equal(readWaitedMs(2 ** 30), 0);
});
