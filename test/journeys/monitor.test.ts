/** The pages for monitors: health, readiness, metrics that count what happened, and alert rules that Prometheus accepts. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMonitor } from '../../app/monitor/monitor.js';
import type { WorkerView } from '../../app/workerpool.js';
import { createLogger } from '../../config/logger.js';
import { recordAudit } from '../../db/control/audit.js';
import { insertSubscriber } from '../../db/control/eventsubscribers.js';
import { addOrganization } from '../../operations/orgs.js';
import { addToken } from '../../operations/tokens.js';
import { addWebhook } from '../../operations/webhooks.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { runDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { startTcpProxy } from '../support/tcpproxy.js';
import { temporaryFolder } from '../support/temporary.js';
import { receiveWebhooks } from '../support/webhookreceiver.js';
import { workplaceOn } from '../support/workplace.js';

const logger = createLogger({ logLevel: 'error', logFormat: 'json' });

/** A loaded machine starts a process in half a minute. */
const patienceMs = 120_000;

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

test('a database that refuses connections, or gives no answer, makes it unready, and /metrics says so', async (t) => {
  const { settings } = await openFresh(t, 'postgres');
  const proxy = await startTcpProxy(t, Number(new URL(process.env.TEST_POSTGRES_URL!).port));
  const workplace = await workplaceOn(t, { ...settings, database: proxy.through(settings.database) });
  const deps = { endpoint: '127.0.0.1:0', workplace, version: '1.2.3', logger, countConnections: () => 0 };
  const monitor = await startMonitor({ ...deps, databaseWithinMs: 100 });
  t.after(() => monitor.stop());
  const get = async (page: string) => {
    const response = await fetch(`http://127.0.0.1:${monitor.port}${page}`);
    return { status: response.status, text: await response.text() };
  };
  const unready = { status: 503, text: '{"ready":false,"reasons":["the control database does not answer"]}\n' };
  proxy.hold(true);
  assert.deepEqual(await get('/readyz'), unready);
  assert.equal((await get('/healthz')).status, 200);
  proxy.hold(false);
  const ready = { status: 200, text: '{"ready":true,"reasons":[]}\n' };
  await until(async () => (await get('/readyz')).status === 200, 'it is ready again');
  proxy.cut();
  assert.deepEqual(await get('/readyz'), unready);
  assert.deepEqual(await get('/metrics'), {
    status: 503,
    text: 'the databases do not answer; see the log\n',
  });
  proxy.mend();
  await until(async () => (await get('/readyz')).status === 200, 'it is ready again');
  assert.deepEqual(await get('/readyz'), ready);
  assert.equal((await get('/metrics')).status, 200);
});

test('a server none of whose processes for connections is ready is unready', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const view = { number: 1, pid: 1, connections: 3, state: null, restarts: 2 };
  const views: WorkerView[] = [
    { ...view, isReady: false },
    { ...view, number: 2, isReady: false },
  ];
  const workplace = await workplaceOn(t, settings);
  const deps = { endpoint: '127.0.0.1:0', workplace, version: '1.2.3', logger, countConnections: () => 6 };
  const monitor = await startMonitor({ ...deps, viewWorkers: () => views });
  t.after(() => monitor.stop());
  const get = (page: string) => fetch(`http://127.0.0.1:${monitor.port}${page}`);
  const response = await get('/readyz');
  assert.equal(response.status, 503);
  assert.deepEqual(await response.json(), { ready: false, reasons: ['no process for connections is ready'] });
  views[1]!.isReady = true;
  assert.equal((await get('/readyz')).status, 200);
  const text = await (await get('/metrics')).text();
  for (const line of ['dropslot_workers 1', 'dropslot_worker_connections{worker="2"} 3'])
    assert.ok(text.split('\n').includes(line), line);
});

test('an upload by the HTTP API, its import and the delivery of its events are counted by the server', async (t) => {
  const { settings } = await openFresh(t, 'sqlite');
  const { data } = settings;
  const place = await workplaceOn(t, settings);
  await addOrganization(place, 'acme', { ownerEmail: 'owner@acme.test', plan: 'enterprise' }, true);
  const { url } = await receiveWebhooks(t);
  await addWebhook(place, { url, types: 'run.*', allowHttp: true, allowPrivate: true });
  const tokenOf = async (scope: string) => (await addToken(place, { name: scope, scope, org: 'acme' })).secret;
  const [upload, operate] = [await tokenOf('upload'), await tokenOf('operate')];
  const env = { DROPSLOT_API: '127.0.0.1:0', DROPSLOT_MONITOR: '127.0.0.1:0' };
  const server = await startServe(t, { data, env });
  const { port } = await server.waitForLog(({ message }) => message === 'the HTTP API listens', patienceMs);
  const { port: monitor } = server.log.find(({ message }) => message === 'answering monitors')!;
  const ask = (path: string, method: string, token: string, body?: string) =>
    fetch(`http://127.0.0.1:${port}/api/v1/orgs/acme${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && { body }),
    });
  const file = 'User Email\nann@acme.test\nnobody\n';
  assert.equal((await ask('/drops/users.csv', 'PUT', upload, file)).status, 201);
  assert.equal((await ask('/imports', 'POST', operate)).status, 202);
  await server.waitForLog(({ message }) => message === 'run done', patienceMs);
  const read = async () => (await fetch(`http://127.0.0.1:${monitor}/metrics`)).text();
  const untilLines = async (...lines: (string | RegExp)[]) => {
    for (let attempt = 0; ; attempt++) {
      const text = await read();
      const has = (line: string | RegExp) =>
        typeof line === 'string' ? text.split('\n').includes(line) : line.test(text);
      if (lines.every(has)) return text;
      assert.ok(attempt < 400, `not counted: ${lines.find((line) => !has(line))}`);
      await sleep(50);
    }
  };
  const text = await untilLines(
    'dropslot_uploads_total{outcome="complete"} 1',
    `dropslot_upload_bytes_total ${file.length}`,
    'dropslot_audit_records_total{action="run.done"} 1',
    'dropslot_rows_total{type="users"} 2',
    'dropslot_import_results_total{entity="users",result="created"} 1',
    'dropslot_issues_total{code="email_invalid"} 1',
    /^dropslot_deliveries_total\{kind="webhook",result="delivered"\} [1-9]/m,
    /^dropslot_last_run_timestamp_seconds 1/m,
    'dropslot_restarts_total{process="api",cause="ended"} 0',
  );
  assert.doesNotMatch(text, /acme/);
  const { pid } = server.log.find(({ message }) => message === 'the process of the HTTP API started')!;
  process.kill(pid as number, 'SIGKILL');
  await untilLines('dropslot_restarts_total{process="api",cause="ended"} 1');
  assert.equal(await server.stop(), 0);
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
  const known = ['metrics', 'counters'].map((name) => readFileSync(`app/monitor/${name}.ts`, 'utf8')).join();
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
