/** Traces of the built program: an upload, a run, a delivery and requests of the API reach a collector, and no personal data does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireOtlp } from '../support/otlp.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';
import { receiveWebhooks } from '../support/webhookreceiver.js';

/** A loaded machine starts a process in half a minute. */
const patienceMs = 120_000;

test('uploads, runs with their phases, deliveries and requests are spans of a collector', async (t) => {
  const data = temporaryFolder(t);
  const at = { data };
  const collector = await receiveWebhooks(t, (_, response) => response.end('{}'));
  const receiver = await receiveWebhooks(t);
  await runDropslot(['orgs', 'add', 'acme', '--owner', 'owner@acme.test', '--enable'], at);
  const hook = ['webhooks', 'add', '--url', receiver.url, '--types', 'run.*', '--allow-http', '--allow-private'];
  await askDropslot(hook, at);
  const secretOf = async (scope: string) => {
    const add = ['tokens', 'add', '--name', scope, '--scope', scope, '--org', 'acme'];
    return (await askDropslot<{ secret: string }>(add, at)).secret;
  };
  const [upload, operate] = [await secretOf('upload'), await secretOf('operate')];
  const server = await startServe(t, { data, env: { DROPSLOT_API: '127.0.0.1:0', DROPSLOT_TRACES: collector.url } });
  const { port } = await server.waitForLog(({ message }) => message === 'the HTTP API listens', patienceMs);
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const ask = (path: string, method: string, secret: string, body?: string) =>
    fetch(`http://127.0.0.1:${port}/api/v1/orgs/acme${path}`, {
      method,
      headers: { authorization: `Bearer ${secret}`, traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      ...(body !== undefined && { body }),
    });
  const file = 'User Email,User Name\nann.secret@acme.test,Ann Secret\n';
  assert.equal((await ask('/drops/people-of-ann.csv', 'PUT', upload, file)).status, 201);
  assert.equal((await ask('/imports', 'POST', operate)).status, 202);
  await server.waitForLog(({ message }) => message === 'run done', patienceMs);
  while (receiver.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal((await fetch(`http://127.0.0.1:${port}/api/v1/orgs/acme`)).status, 401);
  assert.equal(await server.stop(), 0);
  assert.deepEqual(
    server.log.filter(({ level }) => level === 'error'),
    [],
  );

  const bodies = collector.received.map(({ body }) => body);
  assert.ok(bodies.every((body) => !/secret|people-of|owner@/i.test(body)));
  const spans = bodies.flatMap((body) => requireOtlp(JSON.parse(body)));
  const named = (name: string) => spans.filter((span) => span.name === name);
  const ofSpan = (name: string, key: string) =>
    Object.values(named(name)[0]!.attributes.find((attribute) => attribute.key === key)!.value)[0];
  assert.equal(ofSpan('upload', 'dropslot.bytes'), String(file.length));
  assert.equal(ofSpan('run', 'dropslot.outcome'), 'applied');
  assert.equal(ofSpan('delivery', 'dropslot.outcome'), 'delivered');
  const [run] = named('run');
  for (const phase of ['planning', 'reporting', 'applying', 'archiving']) {
    const [span] = named(`run: ${phase}`);
    assert.equal(span?.traceId, run!.traceId, phase);
    assert.equal(span.parentSpanId, run!.spanId, phase);
  }
  const requests = spans.filter(({ name }) => /^(PUT|POST|GET) /.test(name));
  assert.deepEqual(
    requests.map(({ name, traceId: id, parentSpanId }) => ({ name, id, parentSpanId })),
    [
      { name: 'PUT /api/v1/orgs/:org/drops/:name', id: traceId, parentSpanId: 'b7ad6b7169203331' },
      { name: 'POST /api/v1/orgs/:org/imports', id: traceId, parentSpanId: 'b7ad6b7169203331' },
    ],
  );
});
