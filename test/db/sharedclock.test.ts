/** Which of two measures of the shared clock counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { betterOf, followClock, type Measured } from '../../db/sharedclock.js';

const minute = 60_000;
/** Server time 1,000,000 ms at the moment 0 of the steady clock, asked within 2 ms. */
const old: Measured = { at: 1_000_000, steady: 0, roundTripMs: 2 };

const cases: [what: string, latest: Measured, isTaken: boolean][] = [
  ['a more exact one', { at: 1_010_000, steady: 10_000, roundTripMs: 1 }, true],
  ['a less exact one that agrees', { at: 1_010_015, steady: 10_000, roundTripMs: 40 }, false],
  ['a less exact one at the edge of agreement', { at: 1_010_023, steady: 10_000, roundTripMs: 40 }, false],
  ['a less exact one that contradicts', { at: 1_010_024.1, steady: 10_000, roundTripMs: 40 }, true],
  [
    'after a pause in which the steady clock stood still',
    { at: 1_010_000 + 5 * minute, steady: 10_000, roundTripMs: 400 },
    true,
  ],
  ['the clock of the server was set back', { at: 1_010_000 - minute, steady: 10_000, roundTripMs: 40 }, true],
  [
    'so inexact that it contradicts nothing',
    { at: 1_010_000 + 5 * minute, steady: 10_000, roundTripMs: 11 * minute },
    false,
  ],
  [
    'as exact, after the drift of hours',
    { at: 1_000_000 + 60 * minute, steady: 60 * minute, roundTripMs: 1_000 },
    true,
  ],
];
for (const [what, latest, isTaken] of cases)
  test(`a new measure is ${isTaken ? 'taken' : 'left'}: ${what}`, () => {
    assert.equal(betterOf(old, latest, latest.steady), isTaken ? latest : old);
  });

test('a server that answers after a pause, slower than before, sets the clock', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const steady = performance.now.bind(performance);
  let [servers, slowMs] = [7_000_000, 0];
  let answered = () => {};
  t.mock.method(performance, 'now', () => steady() + slowMs);
  const raw = async () => {
    // The request takes half a second of the steady clock.
    if (servers > 7_000_000) slowMs += 500;
    answered();
    return { rows: [{ at: servers }] };
  };
  const clock = await followClock({ dialect: 'postgres', read: { raw } } as unknown as Db);
  assert.ok(Math.abs(clock.now() - 7_000_000) < 1_000);
  servers += 5 * minute;
  const answer = new Promise<void>((resolve) => {
    answered = resolve;
  });
  t.mock.timers.tick(10_000);
  await answer;
  await new Promise(setImmediate);
  assert.ok(Math.abs(clock.now() - servers) < 1_000, `${clock.now() - servers} ms`);
  clock.stop();
});
