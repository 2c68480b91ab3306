/** The pages for monitors: health, readiness, metrics that count what happened, and alert rules that Prometheus accepts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { startMonitor } from '../../app/monitor/monitor.js';
import { createLogger } from '../../config/logger.js';
import { recordAudit } from '../../db/control/audit.js';
import { insertSubscriber } from '../../db/control/eventsubscribers.js';
import { onBothDatabases } from '../support/databases.js';
import { runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

const logger = createLogger({ logLevel: 'error', logFormat: 'json' });

onBothDatabases('monitor', (open) => {
  test('metrics count what is recorded, and a database that is away makes it unready', async (t) => {
    const { settings } = await open(t);
    const workplace = await workplaceOn(t, settings);
    const deps = { endpoint: '127.0.0.1:0', workplace, version: '1.2.3', logger, countConnections: () => 7 };
    const monitor = await startMonitor(deps);
    const get = async (page: string, method = 'GET') => {
      const response = await fetch(`http://127.0.0.1:${monitor.port}${page}`, { method });
      return { status: response.status, text: await response.text() };
    };
    const detail = { size: 500, ms: 1200 };
    const record = (action: string) => ({ at: 1, org: 'acme', actor: 'key:x', action, subject: '/users.csv', detail });
    const { control } = workplace;
    await control.transact((tx) => recordAudit(tx, record('upload.closed')));
    await control.transact((tx) => recordAudit(tx, record('upload.failed')));
    await control.transact((tx) => recordAudit(tx, record('login.accepted')));
    await assert.rejects(
      control.transact(async (tx) => {
        await recordAudit(tx, record('upload.closed'));
        throw new Error('rolled back');
      }),
    );
    const one = { id: 'sub_1', kind: 'webhook', org: null, types: ['*'], options: {}, secret: null, description: null };
    await control.transact((tx) => insertSubscriber(tx, one, 0, 1));
    const { text } = await get('/metrics');
    for (const line of [
      'dropslot_uploads_total{outcome="complete"} 1',
      'dropslot_uploads_total{outcome="failed"} 1',
      'dropslot_upload_bytes_total 500',
      'dropslot_upload_seconds_sum 1.2',
      'dropslot_logins_total{result="accepted"} 1',
      'dropslot_connections 7',
      'dropslot_queue_files 0',
      'dropslot_runs{state="held"} 0',
      'dropslot_subscribers{kind="webhook",state="enabled"} 1',
    ])
      assert.ok(text.split('\n').includes(line), `${line} in\n${text}`);
    assert.match(text, /dropslot_build_info\{version="1\.2\.3"/);
    assert.deepEqual(await get('/healthz'), { status: 200, text: 'ok\n' });
    assert.equal((await get('/readyz')).status, 200);
    assert.equal((await get('/')).status, 404);
    assert.equal((await get('/metrics', 'POST')).status, 405);
    const away = { ...workplace, settings: { ...workplace.settings, minFreeBytes: Number.MAX_SAFE_INTEGER } };
    const other = await startMonitor({ ...deps, workplace: away });
    const response = await fetch(`http://127.0.0.1:${other.port}/readyz`);
    assert.equal(response.status, 503);
    assert.deepEqual(await response.json(), {
      ready: false,
      reasons: ['the disk is nearly full: uploads are refused'],
    });
    await other.stop();
    await monitor.stop();
  });
});

test('the server answers monitors while it runs, and says so when the address is taken', async (t) => {
  const data = temporaryFolder(t);
  const server = await startServe(t, { data, env: { DROPSLOT_MONITOR: '127.0.0.1:0' } });
  const { port } = server.log.find(({ message }) => message === 'answering monitors')!;
  assert.equal((await fetch(`http://127.0.0.1:${port}/readyz`)).status, 200);
  const second = await runDropslot(['serve', '--port', '0'], {
    data: temporaryFolder(t),
    env: { DROPSLOT_MONITOR: `127.0.0.1:${port}` },
  });
  assert.equal(second.code, 5);
  assert.match(second.stderr, /monitor: can't listen on 127\.0\.0\.1/);
  assert.equal(await server.stop(), 0);
});

test('every metric of the alert rules and of the manual exists', () => {
  const known = readFileSync('app/monitor/metrics.ts', 'utf8');
  for (const file of ['docs/alerts.yml', 'docs/monitoring.md'])
    for (const [name] of readFileSync(file, 'utf8').matchAll(/dropslot_(?!process|nodejs)[a-z_]*[a-z]/g))
      assert.ok(known.includes(`'${name}'`), `${name} of ${file}`);
});

test('Prometheus accepts the alert rules', (t) => {
  const { error, status, stdout, stderr } = spawnSync('promtool', ['check', 'rules', 'docs/alerts.yml'], {
    encoding: 'utf8',
  });
  if (error !== undefined) return t.skip('promtool is NOT INSTALLED: apt-get install prometheus');
  assert.equal(status, 0, stdout + stderr);
});
