/** Silence: missing, shrunk and unchanging files open one alarm, which ends by itself; in the organization's own time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderOrg } from '../../../cli/views/orgs.js';
import { type Alarm, type Arrival, listOpenAlarms } from '../../../db/control/alarms.js';
import { listAudit } from '../../../db/control/audit.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { describeAlarm, judgeSilence, watchSilence } from '../../../importer/schedule/expectations.js';
import { orgDetailsToJson } from '../../../operations/forms/orgs.js';
import { detailOrg } from '../../../operations/orgdetails.js';
import { setOrganization } from '../../../operations/orgs.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';
import { examine, workplaceOn } from '../../support/workplace.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const at = (text: string) => Date.parse(text);

/** Monday to Friday by six in Berlin. */
const expecting = sampleOrg('acme', { options: { expectFiles: 'users', expectBy: '06:00', expectDays: 'weekdays' } });

let ids = 0;
function arrival(time: string, change: Partial<Arrival> = {}): Arrival {
  const file = { type: 'users' as const, rows: 100, bytes: 5000, sha256: `s${++ids}`, state: 'imported' as const };
  return { id: ids, at: at(time), ...file, ...change };
}

function kindsOf(arrivals: Arrival[], now: string, past: (Alarm | null)[] = [], org = expecting): string[] {
  return judgeSilence(org, [...arrivals].reverse(), past, at(now)).map(({ kind, subject }) => `${kind} ${subject}`);
}

test('a file is missing from its deadline on, on its days, in its time zone', () => {
  // 16 March 2026 is a Monday; Berlin is an hour ahead of UTC then, and two from the 29th on.
  const friday = arrival('2026-03-13T03:00:00Z');
  assert.deepEqual(kindsOf([friday], '2026-03-16T04:59:59Z'), [], 'nothing is due at the weekend');
  assert.deepEqual(kindsOf([friday], '2026-03-16T05:00:00Z'), ['missing users']);
  const early = arrival('2026-03-14T20:00:00Z');
  assert.deepEqual(kindsOf([friday, early], '2026-03-16T05:00:00Z'), [], 'since the last deadline');
  const summer = arrival('2026-03-27T03:00:00Z');
  assert.deepEqual(kindsOf([summer], '2026-03-30T04:00:00Z'), ['missing users'], 'six in summer time');
  assert.deepEqual(kindsOf([summer], '2026-03-30T03:59:59Z'), []);
  for (const name of ['slotsFrom', 'expectFrom']) {
    const late = { ...expecting, [name]: at('2026-03-16T05:00:01Z') };
    assert.deepEqual(kindsOf([], '2026-03-16T09:00:00Z', [], late), [], 'not expected yet');
  }
  for (const other of [
    arrival('2026-03-16T01:00:00Z', { type: 'teams' }),
    arrival('2026-03-16T01:00:00Z', { type: null, state: 'refused' }),
  ])
    assert.deepEqual(kindsOf([friday, other], '2026-03-16T05:00:00Z'), ['missing users']);
});

test('a late file does for the deadline that it missed, and not for the next one', () => {
  const alarm = (upload: Arrival): Alarm => ({
    id: 1,
    org: 'acme',
    kind: 'missing',
    subject: 'users',
    detail: { deadline: at('2026-03-16T05:00:00Z') },
    openedAt: at('2026-03-16T05:00:30Z'),
    resolvedAt: upload.at + 1,
    resolvedBy: upload.id,
  });
  const late = arrival('2026-03-16T08:00:00Z');
  assert.deepEqual(kindsOf([late], '2026-03-16T09:00:00Z', [alarm(late)]), []);
  assert.deepEqual(kindsOf([late], '2026-03-17T05:00:00Z', [alarm(late)]), ['missing users']);
  const next = arrival('2026-03-17T04:00:00Z');
  assert.deepEqual(kindsOf([next], '2026-03-17T05:00:00Z', [alarm(next)]), [], 'it was on time for Tuesday');
});

test('much smaller than usual, by rows or bytes; never changing', () => {
  const days = ['09', '10', '11', '12', '13'].map((day) => arrival(`2026-03-${day}T03:00:00Z`));
  const monday = (change: Partial<Arrival>) => [
    ...days,
    arrival('2026-03-16T03:00:00Z', { state: 'queued', ...change }),
  ];
  const now = '2026-03-16T04:00:00Z';
  assert.deepEqual(kindsOf(monday({ rows: 50, bytes: 2500 }), now), []);
  assert.deepEqual(kindsOf(monday({ rows: 49 }), now), ['shrunk users']);
  assert.deepEqual(kindsOf(monday({ bytes: 2499 }), now), ['shrunk users']);
  assert.deepEqual(kindsOf(monday({ rows: 1 }).slice(3), now), [], 'two imports tell nothing');
  const same = days.map((one, index) => ({ ...one, sha256: index === 0 ? 'old' : 'same' }));
  const strict = { ...expecting, options: { ...expecting.options, unchangedDays: 3 } };
  assert.deepEqual(kindsOf(same, '2026-03-13T04:00:00Z', [], strict), ['unchanged users']);
  assert.deepEqual(kindsOf(same.slice(0, -1), '2026-03-12T04:00:00Z', [], strict), []);
});

onBothDatabases('alarms', (open) => {
  test('one alarm, however many look; told by doctor and orgs show; over when the file comes', async (t) => {
    const acme = await Company.open(open, t);
    const { control, logger, settings } = acme.deps;
    const place = { ...(await workplaceOn(t, settings)), now: () => acme.clock };
    await setOrganization(place, 'acme', { options: { expectFiles: 'teams,users', expectBy: '06:00' } });
    const deps = { control, logger, now: () => acme.clock };
    await watchSilence(deps);
    assert.deepEqual(await listOpenAlarms(control.read, 'acme'), [], 'no deadline has come since');
    acme.clock += dayMs;
    await Promise.all([1, 2, 3].map(() => watchSilence(deps)));
    const alarms = await listOpenAlarms(control.read, 'acme');
    assert.deepEqual(alarms.map(({ subject }) => subject).sort(), ['teams', 'users']);
    const org = await place.org('acme');
    const details = await detailOrg(place, org);
    assert.match(renderOrg(details), /Alarm: +no users file came by 2026-03-11 06:00 \(Europe\/Berlin\)/);
    assert.equal((orgDetailsToJson(details).alarms as unknown[]).length, 2);
    const findings = await examine(settings, { now: () => acme.clock });
    assert.equal(
      findings.filter(({ message, level }) => /file came by/.test(message) && level === 'warning').length,
      2,
    );

    await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
    await acme.drop('/teams.csv', csv('Team Name'));
    acme.clock += 60_000;
    await watchSilence(deps);
    const left = await listOpenAlarms(control.read, 'acme');
    assert.deepEqual(
      left.map((alarm) => describeAlarm(alarm, org.timeZone)),
      ['no teams file came by 2026-03-11 06:00 (Europe/Berlin)'],
    );
    await updateOrg(control.write, 'acme', { enabled: false });
    await watchSilence(deps);
    assert.deepEqual(await listOpenAlarms(control.read, 'acme'), []);
    const actions = (await listAudit(control.read, 'acme')).map(({ action }) => action);
    assert.deepEqual(
      actions.filter((action) => action.startsWith('alarm.')),
      ['alarm.opened', 'alarm.opened', 'alarm.resolved', 'alarm.resolved'],
    );
  });
});
