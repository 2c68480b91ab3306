/** Events by the calendar on two nodes whose clocks differ by seconds: each has its time once, whichever node looks first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import { recordAudit } from '../../db/control/audit.js';
import { listMarks } from '../../db/control/eventmarks.js';
import { readEvents } from '../../db/control/events.js';
import { deleteSubscriber } from '../../db/control/eventsubscribers.js';
import { insertOrg } from '../../db/control/orgs.js';
import { reportByCalendar } from '../../importer/schedule/reports.js';
import { openDue } from '../../operations/exports/daily.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import { subscribe } from '../support/events.js';
import { sampleOrg } from '../support/samples.js';

const dayMs = 86_400_000;
/** The clocks of two nodes. */
const skewsMs = [0, -5_000];

async function countOf({ control }: TestDatabases, type: string): Promise<number> {
  return (await readEvents(control.read, { after: 0, to: 1e9, limit: 999 }, { types: [type] })).length;
}

/** Each node looks twice as the time has come for the first of them, and once when it has for both. */
async function lookAround(time: number, look: (now: () => number) => Promise<void>): Promise<void> {
  for (const skewMs of [...skewsMs, ...skewsMs]) await look(() => time + skewMs);
  for (const skewMs of skewsMs) await look(() => time + 60_000 + skewMs);
}

onBothDatabases('two nodes whose clocks differ', (open) => {
  test('a daily export is due once a day, and its marks have a bound', async (t) => {
    const databases = await open(t);
    const { control } = databases;
    await insertOrg(control.write, sampleOrg('acme', { timeZone: 'Europe/Berlin' }));
    for (const id of ['one', 'two'])
      await subscribe(databases, { id, kind: 'export', org: 'acme', options: { when: 'daily@04:00' } });
    const first = Date.UTC(2026, 1, 2, 3);
    // The first day has no export before it, and the third one comes after three without a server.
    for (const [turn, day] of [0, 1, 5, 6, 7, 8, 9].entries()) {
      await lookAround(first + day * dayMs, (now) => openDue({ control, now }));
      assert.equal(await countOf(databases, 'export.due'), 2 * (turn + 1), `day ${day}`);
    }
    assert.equal((await listMarks(control.read, 'export:')).length, 8);
    await control.transact((tx) => deleteSubscriber(tx, 'one'));
    await openDue({ control, now: () => first + 9 * dayMs });
    assert.equal((await listMarks(control.read, 'export:')).length, 4);
  });

  test('the week of an organization and the head of the audit trail come once', async (t) => {
    const databases = await open(t);
    const { control } = databases;
    await insertOrg(control.write, sampleOrg('acme', { timeZone: 'UTC' }));
    const entry = { at: 1, org: null, actor: 'system', action: 'x', subject: 'x', detail: {} };
    await recordAudit(control.write, entry);
    const lines: string[] = [];
    const settings = { auditHeads: ['file:/elsewhere/heads'] };
    const report = (now: () => number) =>
      reportByCalendar({
        control,
        settings,
        logger: createSilentLogger(),
        now,
        writeLine: (_, line) => lines.push(line),
      });
    const monday = Date.UTC(2026, 1, 2, 8);
    const counts: number[][] = [];
    for (let week = 0; week < 5; week++) {
      await lookAround(monday + 7 * week * dayMs, report);
      await lookAround(monday + (7 * week + 1) * dayMs - 8 * 3_600_000, report);
      counts.push([await countOf(databases, 'report.weekly'), await countOf(databases, 'audit.head'), lines.length]);
    }
    const expected = [1, 2, 3, 4, 5].map((weeks) => [weeks, 2 * weeks, 2 * weeks]);
    assert.deepEqual(counts, expected);
    assert.equal((await listMarks(control.read, 'report.weekly:')).length, 4);
    assert.equal((await listMarks(control.read, 'audit.head:')).length, 4);
  });
});
