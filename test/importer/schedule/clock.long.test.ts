/** A clock that jumps opens no slot that is not due, and loses none: by seconds or for good, ahead or back, over a restart. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createSilentLogger, type Logger } from '../../../config/logger.js';
import type { Db } from '../../../db/connection.js';
import { readClock } from '../../../db/control/clock.js';
import { findOrg, updateOrg } from '../../../db/control/orgs.js';
import { listRuns } from '../../../db/control/runs.js';
import { type Clock, createClock } from '../../../importer/schedule/clock.js';
import { openDueSlots } from '../../../importer/schedule/slots.js';
import { examineClock } from '../../../operations/doctor/clock.js';
import { Company, csv } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';
import { keepingLogger } from '../../support/session.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Berlin, where the slot is at 02:00: noon. */
interface Machine {
  acme: Company;
  control: Db;
  clock: Clock;
  lines: string[];
  /** Starts the importer again. */
  restart(): void;
  /** Sets the clock. */
  jump(ms: number): void;
  /** Time passes, with a look each minute. Slots that were opened, each with the right time. */
  pass(ms: number): Promise<string[]>;
}

async function prepare(t: TestContext): Promise<Machine> {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const { control } = acme.deps;
  const { logger, lines } = keepingLogger();
  const began = acme.clock;
  let steady = 0;
  const make = (to: Logger) => createClock({ control, logger: to, now: () => acme.clock, steady: () => steady });
  const look = async () => {
    const deps = { control, logger: createSilentLogger(), now: () => acme.clock, onOpen: () => {} };
    if (!(await machine.clock.look())) return [];
    await openDueSlots(deps);
    const opened = (await listRuns(control.read, 'acme')).filter(({ state }) => state === 'open');
    await control.write('runs').update({ state: 'done' });
    return opened.map(({ slotDate }) => `${slotDate} at ${new Date(began + steady).toISOString().slice(5, 16)}`);
  };
  const machine: Machine = {
    acme,
    control,
    clock: make(logger),
    lines,
    restart: () => {
      machine.clock = make(logger);
    },
    jump: (ms) => {
      acme.clock += ms;
    },
    pass: async (ms) => {
      const opened = await look();
      for (let left = ms; left > 0; left -= minuteMs) {
        steady += minuteMs;
        acme.clock += minuteMs;
        opened.push(...(await look()));
      }
      return opened;
    },
  };
  await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
  assert.deepEqual(
    await machine.pass(10 * minuteMs),
    ['2026-03-10 at 03-10T11:00'],
    'the slot of today, which was missed',
  );
  return machine;
}

for (const [name, ms] of [
  ['ahead by an hour', hourMs],
  ['ahead by a day', dayMs],
  ['ahead by a year', 365 * dayMs],
  ['back by an hour', -hourMs],
  ['back by a year', -365 * dayMs],
] as const)
  test(`a jump for seconds, ${name}: it is logged and told by doctor, and each slot is opened at its time`, async (t) => {
    const { acme, control, clock, lines, jump, pass } = await prepare(t);
    jump(ms);
    assert.deepEqual(await pass(2 * minuteMs), []);
    assert.equal(clock.mayDecide(), false);
    jump(-ms);
    assert.equal(clock.isTrusted(), true);
    assert.equal(clock.mayDecide(), true);
    assert.deepEqual(await pass(dayMs), ['2026-03-11 at 03-11T01:00']);
    assert.equal(lines.length, 2, lines.join('\n'));
    assert.match(lines[0]!, ms > 0 ? /jumped ahead by .*NTP/ : /jumped back by .*NTP/);
    assert.match(lines[1]!, /the clock is right again/);
    const place = { control, now: () => acme.clock } as never;
    assert.match((await examineClock(place)).map(({ message }) => message).join(), /it jumped .* by /);
  });

test('a clock that is a day ahead for an hour: the slot comes at its wrong time and at the right one', async (t) => {
  const { control, clock, jump, pass } = await prepare(t);
  jump(dayMs);
  assert.deepEqual(await pass(hourMs), ['2026-03-11 at 03-10T11:15']);
  await updateOrg(control.write, 'acme', { slotsFrom: Date.UTC(2026, 2, 11, 12) });
  jump(-dayMs);
  assert.deepEqual(await pass(dayMs), ['2026-03-11 at 03-11T01:00']);
  assert.ok((await findOrg(control.read, 'acme'))!.slotsFrom < Date.UTC(2026, 2, 11));
  assert.equal(clock.mayDecide(), true);
  assert.equal((await readClock(control.read)).aheadFrom, null);
});

test('a clock that is a year ahead: nothing is deactivated or deleted by it for a day', async (t) => {
  const { clock, jump, pass } = await prepare(t);
  jump(365 * dayMs);
  assert.equal(clock.mayDecide(), false, 'before any look');
  await pass(23 * hourMs);
  assert.deepEqual([clock.isTrusted(), clock.mayDecide()], [true, false]);
  await pass(2 * hourMs);
  assert.equal(clock.mayDecide(), true);
});

test('a start under a clock that is behind the last time it showed, or far ahead, waits; one after a stop of days does not', async (t) => {
  const { restart, jump, pass } = await prepare(t);
  jump(3 * dayMs);
  restart();
  assert.deepEqual(await pass(0), ['2026-03-13 at 03-10T11:10']);
  jump(-2 * dayMs);
  restart();
  assert.deepEqual(await pass(4 * minuteMs), []);
  assert.deepEqual(
    await pass(dayMs),
    ['2026-03-13 at 03-11T01:00'].map(() => '2026-03-12 at 03-11T01:00'),
  );
  jump(365 * dayMs);
  restart();
  assert.deepEqual(await pass(4 * minuteMs), []);
  assert.equal((await pass(2 * minuteMs)).length, 1);
});

test('a jump of two days replays nothing', async (t) => {
  const { control, jump, pass } = await prepare(t);
  jump(2 * dayMs);
  assert.deepEqual(await pass(hourMs), ['2026-03-12 at 03-10T11:15']);
  const runs = await listRuns(control.read, 'acme');
  assert.deepEqual(
    runs.map(({ id }) => id),
    [2, 1],
  );
});
