/** Events by the calendar: the head of the audit trail each day, and the week of each organization. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../../config/logger.js';
import { recordAudit } from '../../../db/control/audit.js';
import { insertOrg } from '../../../db/control/orgs.js';
import { reportByCalendar } from '../../../importer/schedule/reports.js';
import { readAuditHead } from '../../../operations/audit.js';
import { openMailPlace } from '../../support/mailplace.js';
import { sampleOrg } from '../../support/samples.js';

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

test('a week counts applied runs, and one that can not be summed up delays no other organization', async (t) => {
  const { control, clock } = await openMailPlace(t);
  await insertOrg(control.write, sampleOrg('zeta', { timeZone: 'Europe/Berlin' }));
  clock.now = Date.UTC(2026, 1, 2, 9);
  const summary = {
    users: { created: 2, stubs: 1, updated: 4, deactivated: 1, faults: 3 },
    teams: { created: 5, faults: 1 },
    files: [{ state: 'imported' }, { state: 'refused' }, { state: 'refused' }],
  };
  const at = Date.UTC(2026, 0, 28);
  const run = { kind: 'slot', state: 'done', opened_at: at, started_at: at, finished_at: at };
  await control.write('runs').insert([
    { ...run, org_id: 'acme', summary: '{' },
    { ...run, org_id: 'zeta', summary: JSON.stringify(summary) },
    { ...run, org_id: 'zeta', summary: JSON.stringify(summary) },
    { ...run, org_id: 'zeta', summary: JSON.stringify(summary), state: 'rejected' },
  ]);
  await reportByCalendar({ control, settings: { auditHeads: [] }, logger: createSilentLogger(), now: () => clock.now });
  const [week] = await control.read('events').where({ type: 'report.weekly', org_id: 'zeta' });
  const { since: _, ...numbers } = JSON.parse(week.data);
  assert.deepEqual(numbers, { runs: 2, created: 6, updated: 8, deactivated: 2, faults: 8, refused: 4, alarms: 0 });
});
