/** Events by the calendar: the head of the audit trail each day, and the week of each organization. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import { recordAudit } from '../../../db/control/audit.js';
import { reportByCalendar } from '../../../importer/schedule/reports.js';
import { readAuditHead } from '../../../operations/audit.js';
import { openMailPlace } from '../../support/mailplace.js';

test('the head of the audit trail leaves the machine once a day, also after a failure', async (t) => {
  const { place, control, clock } = await openMailPlace(t);
  const lines: string[] = [];
  let fails = true;
  const settings = { auditHeads: ['file:/elsewhere/heads', 'syslog'] };
  const writeLine = (target: string, line: string) => {
    if (fails && target === 'syslog') throw new Error('away');
    lines.push(`${target} ${JSON.parse(line).count}`);
  };
  const round = () =>
    reportByCalendar({ control, settings, logger: createSilentLogger(), now: () => clock.now, writeLine });
  await recordAudit(control.write, {
    at: clock.now,
    org: null,
    actor: 'system',
    action: 'x',
    subject: 'x',
    detail: {},
  });
  const { count } = await readAuditHead(place);
  await round();
  fails = false;
  await round();
  await round();
  assert.deepEqual(lines, [`file:/elsewhere/heads ${count}`, `syslog ${count}`]);
  clock.now += 86_400_000;
  await round();
  assert.equal(lines.length, 4);
  const events = await control.read('events').where({ type: 'audit.head' });
  assert.equal(events.length, 2);
});

test('the numbers of a week come once, after Monday 08:00 of the organization', async (t) => {
  const { control, clock } = await openMailPlace(t);
  const weekly = async () =>
    (await control.read('events').where({ type: 'report.weekly' })).map(({ data }) => JSON.parse(data));
  const round = () =>
    reportByCalendar({ control, settings: { auditHeads: [] }, logger: createSilentLogger(), now: () => clock.now });
  clock.now = Date.UTC(2026, 1, 2, 6, 59); // Monday 07:59 in Berlin
  await round();
  const before = (await weekly()).length;
  clock.now += 2 * 60_000;
  await round();
  await round();
  const told = await weekly();
  assert.equal(told.length, before + 1);
  assert.equal(told.at(-1).since, Date.UTC(2026, 0, 26, 7));
});
