/** Slots that are spread over some minutes: stable for each organization, once a day, whatever the setting was before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jitterOf, lastSlotOf, nextSlotOf } from '../../../importer/schedule/jitter.js';
import { openDueSlots } from '../../../importer/schedule/slots.js';
import { setOrganization } from '../../../operations/orgs.js';
import { Company, csv } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';
import { workplaceOn } from '../../support/workplace.js';

const minuteMs = 60_000;

test('two thousand organizations are spread evenly, and always alike', () => {
  const ids = Array.from({ length: 2000 }, (_, n) => `org${n}`);
  const minutes = ids.map((id) => jitterOf({ id }, 20) / minuteMs);
  assert.deepEqual(
    ids.map((id) => jitterOf({ id }, 20) / minuteMs),
    minutes,
  );
  const counts = Array.from({ length: 20 }, (_, minute) => minutes.filter((one) => one === minute).length);
  assert.ok(Math.min(...counts) > 60 && Math.max(...counts) < 140, counts.join());
  assert.deepEqual([jitterOf({ id: 'org1' }, 0), jitterOf({ id: 'org1' }, 1)], [0, 0]);
});

test('the next slot is shown with its jitter, and the last one is named by its time', () => {
  const org = sampleOrg('acme', { timeZone: 'UTC', slot: '02:00' });
  const at = Date.UTC(2026, 2, 10, 2);
  const jitterMs = 7 * minuteMs;
  assert.equal(nextSlotOf(org, at - 1, jitterMs), at + jitterMs);
  assert.equal(nextSlotOf(org, at + jitterMs - 1, jitterMs), at + jitterMs, 'it has not begun');
  assert.equal(lastSlotOf(org, at + jitterMs - 1, jitterMs).date, '2026-03-09');
  assert.deepEqual(lastSlotOf(org, at + jitterMs, jitterMs), { date: '2026-03-10', time: '02:00', at });
});

test('a slot begins after its jitter, once, also when the setting changes after it, and on nodes with different clocks', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, { timeZone: 'UTC', slot: '02:00' });
  const { control, logger, now } = acme.deps;
  const begin = jitterOf(acme.org, 60);
  assert.ok(begin > 0);
  const open = (jitterMinutes: number, skewMs = 0) =>
    openDueSlots({ control, logger, onOpen: () => {}, jitterMinutes, now: () => now() + skewMs });
  await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
  acme.clock = Date.UTC(2026, 2, 11, 2) - 1;
  assert.equal(await open(0), 1, 'that of the day before');
  await control.write('runs').update({ state: 'done' });
  acme.clock = Date.UTC(2026, 2, 11, 2) + begin - 1;
  assert.equal(await open(60), 0);
  assert.equal(await open(60, -3 * minuteMs), 0);
  assert.equal(await open(60, 3 * minuteMs), 1, 'a node whose clock is ahead');
  await control.write('runs').update({ state: 'done' });
  acme.clock += 1;
  for (const skewMs of [0, -3 * minuteMs, 3 * minuteMs]) assert.equal(await open(60, skewMs), 0);
  for (const minutes of [0, 30, 120]) assert.equal(await open(minutes, 2 * 60 * minuteMs), 0, `${minutes}`);
  const runs = await control.read('runs').orderBy('id').select('slot_date', 'slot_time');
  assert.deepEqual(
    runs.map(({ slot_date, slot_time }) => `${slot_date} ${slot_time}`),
    ['2026-03-10 02:00', '2026-03-11 02:00'],
  );
});

test('a slot that is changed before its jitter has passed is not owed', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const acme = await Company.join(databases, { timeZone: 'UTC', slot: '02:00', slotsFrom: 0 });
  const place = { ...(await workplaceOn(t, { ...databases.settings, slotJitterMinutes: 60 })), now: acme.deps.now };
  acme.clock = Date.UTC(2026, 2, 11, 2) + jitterOf(acme.org, 60) - 1;
  await setOrganization(place, 'acme', { slot: '05:00' });
  const { slot_owed: owed } = await place.control.read('orgs').where({ id: 'acme' }).first('slot_owed');
  assert.equal(owed, Date.UTC(2026, 2, 10, 2), 'that of the day before is');
});
