/** The metrics: the counts of all processes of a server, and gauges whose numbers are those of the databases. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics, type Metrics } from '../../app/monitor/metrics.js';
import type { Settings } from '../../config/settings.js';
import { recordAudit } from '../../db/control/audit.js';
import { recordTime } from '../../db/control/clock.js';
import { insertSubscriber } from '../../db/control/eventsubscribers.js';
import { insertOrg } from '../../db/control/orgs.js';
import { findLastApplied, longestSlotDelay } from '../../db/control/overview.js';
import { putPenalties } from '../../db/control/penalties.js';
import { noCounts } from '../../importer/counts.js';
import type { Workplace } from '../../operations/workplace.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import type { Scope } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

const now = Date.UTC(2026, 5, 1, 12);
const minuteMs = 60_000;
const dayMs = 86_400_000;

function metricsOf(t: Scope, workplace: Workplace, change: Partial<Settings> = {}): Metrics {
  const its = { ...workplace, now: () => now, settings: { ...workplace.settings, ...change } };
  const metrics = createMetrics({ workplace: its, version: '1.2.3', countConnections: () => 7 });
  t.after(() => metrics.stop());
  return metrics;
}

/** The values by name with labels, those of Node.js left out. */
async function valuesOf(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.render()).split('\n').filter((line) => /^dropslot_(?!nodejs|process)/.test(line));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** The values that `expected` names. */
function pick(values: Record<string, number>, expected: object): Record<string, number | undefined> {
  return Object.fromEntries(Object.keys(expected).map((name) => [name, values[name]]));
}

/** Two organizations with runs, files, keys, alarms and penalties, old and new. */
async function fill({ control }: Workplace): Promise<void> {
  const db = control.write;
  await insertOrg(db, sampleOrg('acme', { limits: { maxStoredBytes: 1000 } }));
  await insertOrg(db, sampleOrg('zeta'));
  await insertOrg(db, sampleOrg('former', { enabled: false }));
  const run = { org_id: 'acme', kind: 'slot', state: 'done' };
  const ranAt = (at: number, waitedMs: number) => ({
    opened_at: at - waitedMs,
    started_at: at,
    finished_at: at + 1000,
  });
  const openedAt = now - 5 * minuteMs;
  await db('runs').insert([
    { ...run, ...ranAt(now - 2 * dayMs, 9_000_000) },
    { ...run, ...ranAt(now - 2 * minuteMs, 90_000) },
    { ...run, ...ranAt(now - minuteMs, 400_000), kind: 'manual' },
    { ...run, ...ranAt(now - 1000, 0), kind: 'edit' },
    { ...run, ...ranAt(now - 3 * dayMs, 0), org_id: 'zeta' },
    { ...run, ...ranAt(now, 0), org_id: 'former' },
  ]);
  await db('runs').insert([
    { org_id: 'acme', kind: 'manual', state: 'failed', opened_at: openedAt, finished_at: now - dayMs + 1 },
    { org_id: 'acme', kind: 'manual', state: 'failed', opened_at: openedAt, finished_at: now - dayMs - 1 },
    { org_id: 'acme', kind: 'manual', state: 'held', opened_at: openedAt },
    { org_id: 'acme', kind: 'manual', state: 'open', opened_at: openedAt },
  ]);
  const leaseUntil = now + 30_000 - 12_000;
  await db('runs').insert([
    { org_id: 'acme', kind: 'manual', state: 'running', opened_at: openedAt, lease_until: leaseUntil },
    { org_id: 'zeta', kind: 'manual', state: 'running', opened_at: openedAt, lease_until: leaseUntil + 5000 },
  ]);
  const blob = { org_id: 'acme', sealed_size: 1, sha256: '', created_at: 0 };
  const upload = { org_id: 'acme', path: '/users.csv', begun_at: 0, closed_at: 0 };
  const entry = { org_id: 'acme', dir: '/', kind: 'file', mode: 0, mtime_ms: 0, atime_ms: 0, created_at: 0 };
  for (const [id, state, size, minutes] of [
    ['a', 'queued', 600, 4],
    ['b', 'queued', 300, 3],
    ['c', 'imported', 50, 9],
  ] as const) {
    await db('blobs').insert({ ...blob, id, size });
    await db('uploads').insert({ ...upload, blob_id: id, state, queued_at: now - minutes * minuteMs });
    await db('entries').insert({ ...entry, name: id, blob_id: id, size });
  }
  const alarm = { org_id: 'acme', kind: 'missing', detail: '{}', opened_at: now };
  await db('alarms').insert([
    { ...alarm, subject: 'users', resolved_at: null },
    { ...alarm, subject: 'teams', resolved_at: now },
  ]);
  const key = { org_id: 'acme', algorithm: 'ssh-ed25519', public_key: '', label: '', sources: '[]', created_at: 0 };
  await db('login_keys').insert([
    { ...key, fingerprint: 'past', expires_at: now - 1, revoked_at: null },
    { ...key, fingerprint: 'revoked', expires_at: now + dayMs, revoked_at: now },
    { ...key, fingerprint: 'soon', expires_at: now + 3 * dayMs, revoked_at: null },
    { ...key, fingerprint: 'late', expires_at: now + 40 * dayMs, revoked_at: null },
    { ...key, fingerprint: 'never', expires_at: null, revoked_at: null },
  ]);
  const penalty = { strikes: 1, cause: 'no login', beganAt: now - dayMs };
  await putPenalties(db, [
    { ...penalty, source: '192.0.2.7', until: now + 1 },
    { ...penalty, source: '192.0.2.8', until: now + 1 },
    { ...penalty, source: '192.0.2.9', until: now - 1 },
  ]);
  await recordTime(db, now - 20_000);
  const backup = { org: null, actor: 'system', action: 'backup.made', subject: '/backups/1', detail: {} };
  await control.transact((tx) => recordAudit(tx, { ...backup, at: now - 3 * dayMs }));
  const subscriber = { kind: 'webhook', org: null, types: ['*'], options: {}, secret: null, description: null };
  for (const id of ['one', 'two']) await control.transact((tx) => insertSubscriber(tx, { ...subscriber, id }, 0, 1));
  await db('subscribers').where({ id: 'two' }).update({ failures: 3 });
}

onBothDatabases('gauges', (open) => {
  test('have the numbers of a filled database, and organizations by name only with monitorOrganizations', async (t) => {
    const { settings } = await open(t);
    const workplace = await workplaceOn(t, { ...settings, leaseSeconds: 30 });
    await fill(workplace);
    const values = await valuesOf(metricsOf(t, workplace));
    const expected = {
      dropslot_connections: 7,
      dropslot_queue_files: 2,
      dropslot_queue_oldest_seconds: 240,
      'dropslot_runs{state="open"}': 1,
      'dropslot_runs{state="running"}': 2,
      'dropslot_runs{state="held"}': 1,
      'dropslot_runs{state="failed"}': 1,
      dropslot_slot_delay_seconds: 90,
      dropslot_run_lease_age_seconds: 12,
      dropslot_last_run_timestamp_seconds: (now - minuteMs + 1000) / 1000,
      dropslot_stored_bytes: 950,
      dropslot_organizations_near_quota: 1,
      dropslot_alarms_open: 1,
      'dropslot_organizations{state="enabled"}': 2,
      'dropslot_organizations{state="disabled"}': 1,
      dropslot_last_backup_timestamp_seconds: (now - 3 * dayMs) / 1000,
      dropslot_importer_seen_timestamp_seconds: (now - 20_000) / 1000,
      dropslot_keys_expiring: 1,
      dropslot_next_key_expiry_timestamp_seconds: (now + 3 * dayMs) / 1000,
      dropslot_penalties: 2,
      'dropslot_subscribers{kind="webhook",state="enabled"}': 2,
      dropslot_subscribers_failing: 1,
    };
    assert.deepEqual(pick(values, expected), expected);
    assert.ok(
      values.dropslot_disk_free_bytes! > 0 && values.dropslot_disk_free_bytes! <= values.dropslot_disk_total_bytes!,
    );
    assert.ok(values.dropslot_database_seconds! > 0);
    const named = (of: object) => Object.keys(of).filter((name) => name.includes('organization='));
    assert.deepEqual(named(values), []);

    const metrics = metricsOf(t, workplace, { monitorOrganizations: 'on' });
    const withNames = await valuesOf(metrics);
    const ofOrgs = {
      'dropslot_organization_last_run_timestamp_seconds{organization="acme"}': (now - minuteMs + 1000) / 1000,
      'dropslot_organization_last_run_timestamp_seconds{organization="zeta"}': (now - 3 * dayMs + 1000) / 1000,
      'dropslot_organization_stored_bytes{organization="acme"}': 950,
    };
    assert.deepEqual(named(withNames).sort(), Object.keys(ofOrgs));
    assert.deepEqual(pick(withNames, ofOrgs), ofOrgs);
    await workplace.control.write('orgs').where({ id: 'zeta' }).update({ enabled: 0 });
    assert.ok(!named(await valuesOf(metrics)).some((name) => /last_run.*zeta/.test(name)), 'it has no value any more');
  });

  test('of an empty installation are zero', async (t) => {
    const { settings } = await open(t);
    const values = await valuesOf(metricsOf(t, await workplaceOn(t, settings)));
    for (const [name, value] of Object.entries(values))
      assert.ok(value === 0 || /_(connections|info|disk|database|bucket)/.test(name), `${name} ${value}`);
  });
});

test('a scrape reads few runs, however many there are', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const { control } = await workplaceOn(t, settings);
  const asked: { sql: string; bindings: unknown[] }[] = [];
  control.read.on('query', (query) => asked.push(query));
  await longestSlotDelay(control.read, 1);
  await findLastApplied(control.read);
  const plans = await Promise.all(
    asked.map(async ({ sql, bindings }) => {
      const steps = await control.write.raw(`EXPLAIN QUERY PLAN ${sql}`, bindings as number[]);
      return steps.map(({ detail }: { detail: string }) => detail).join('; ');
    }),
  );
  assert.match(plans[0]!, /SEARCH runs USING (COVERING )?INDEX runs_slot_started \(started_at>\?\)/);
  assert.match(plans[1]!, /SEARCH runs USING (COVERING )?INDEX runs_applied \(org_id=\?\)/);
});

test('counters have the counts of every process, and no label that is any text', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const metrics = metricsOf(t, await workplaceOn(t, settings));
  const refused = (detail: object) => ({ action: 'login.refused', detail: { ...detail } });
  metrics.count({
    type: 'audit',
    events: [
      { action: 'login.accepted', detail: {} },
      refused({ reason: 'expired key' }),
      refused({ reason: 'expired certificate' }),
      refused({ reason: 'no login', connections: 5 }),
      refused({ reason: 'ann@acme.test' }),
      refused({}),
    ],
  });
  const users = { ...noCounts(), created: 3, updated: 2, unchanged: 10, faults: 1, warnings: 9 };
  const teams = { ...noCounts(), stubs: 1 };
  const issues = { email_invalid: 1, 'a code that is none': 2, constructor: 3 };
  for (let run = 0; run < 2; run++)
    metrics.count({ type: 'applied', counts: { rows: { users: 16, unknown: 0 }, users, teams, issues } });
  metrics.count({ type: 'delivery', kind: 'webhook', result: 'delivered' });
  metrics.count({ type: 'delivery', kind: 'webhook', result: 'failed' });
  metrics.count({ type: 'restart', process: 'importer', cause: 'memory' });
  const values = await valuesOf(metrics);
  const expected = {
    'dropslot_logins_total{result="accepted"}': 1,
    'dropslot_logins_total{result="refused",reason="expired key"}': 1,
    'dropslot_logins_total{result="refused",reason="expired certificate"}': 1,
    'dropslot_logins_total{result="refused",reason="no login"}': 5,
    'dropslot_logins_total{result="refused",reason="other"}': 2,
    'dropslot_rows_total{type="users"}': 32,
    'dropslot_import_results_total{entity="users",result="created"}': 6,
    'dropslot_import_results_total{entity="users",result="updated"}': 4,
    'dropslot_import_results_total{entity="users",result="unchanged"}': 20,
    'dropslot_import_results_total{entity="users",result="faults"}': 2,
    'dropslot_import_results_total{entity="teams",result="stubs"}': 2,
    'dropslot_issues_total{code="email_invalid"}': 2,
    'dropslot_issues_total{code="other"}': 10,
    'dropslot_deliveries_total{kind="webhook",result="delivered"}': 1,
    'dropslot_deliveries_total{kind="webhook",result="failed"}': 1,
    'dropslot_restarts_total{process="importer",cause="memory"}': 1,
    'dropslot_restarts_total{process="api",cause="ended"}': 0,
  };
  assert.deepEqual(pick(values, expected), expected);
  assert.ok(!Object.keys(values).some((name) => name.includes('acme')));
});
