/** The exporter of spans: the form of OTLP, its bounds, and a collector that is away. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startTraces } from '../../app/traces.js';
import { createLogger } from '../../config/logger.js';
import { newContext, readTraceparent, type Span, spans, startPhases, tellSpan } from '../../config/spans.js';
import { type OtlpRequest, requireOtlp } from '../support/otlp.js';
import { receiveWebhooks } from '../support/webhookreceiver.js';

const span: Span = {
  ...{ name: 'upload', kind: 'server', startMs: 1_700_000_000_000.25, endMs: 1_700_000_000_012 },
  context: newContext({ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }),
  attributes: { 'dropslot.org': 'acme', 'dropslot.bytes': 2 ** 40, 'dropslot.queued': true, share: 0.5 },
  isFailed: true,
};

test('nothing listens, and nothing is made, without the setting', async () => {
  const traces = startTraces({ traces: undefined }, { part: 'server', version: '1', logger: quiet() });
  assert.equal(spans.hasSubscribers, false);
  tellSpan(() => assert.fail('the span was made'));
  const phases = startPhases('run', () => assert.fail('the clock was read'));
  phases.begin('planning');
  phases.end({});
  await traces.stop();
});

test('spans are sent in the form of OTLP', async (t) => {
  const { url, requests } = await collect(t);
  const traces = startTraces({ traces: url }, { part: 'server', version: '1.2.3', logger: quiet() });
  tellSpan(() => span);
  await traces.stop();
  assert.equal(spans.hasSubscribers, false);
  const [request] = requests();
  const [sent] = requireOtlp(request!);
  assert.deepEqual(request!.resourceSpans[0]!.resource.attributes.slice(0, 3), [
    { key: 'service.name', value: { stringValue: 'dropslot' } },
    { key: 'service.version', value: { stringValue: '1.2.3' } },
    { key: 'dropslot.part', value: { stringValue: 'server' } },
  ]);
  assert.deepEqual(sent, {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: span.context.spanId,
    parentSpanId: 'b7ad6b7169203331',
    ...{ name: 'upload', kind: 2 },
    startTimeUnixNano: '1700000000000250000',
    endTimeUnixNano: '1700000000012000000',
    attributes: [
      { key: 'dropslot.org', value: { stringValue: 'acme' } },
      { key: 'dropslot.bytes', value: { intValue: '1099511627776' } },
      { key: 'dropslot.queued', value: { boolValue: true } },
      { key: 'share', value: { doubleValue: 0.5 } },
    ],
    status: { code: 2 },
  });
});

test('each phase ends where the next one begins, below the whole', async (t) => {
  const told: Span[] = [];
  const note = (message: unknown) => void told.push(message as Span);
  spans.subscribe(note);
  t.after(() => spans.unsubscribe(note));
  let clock = 0;
  const phases = startPhases('run', () => clock);
  for (const [at, name] of [
    [1, 'staging'],
    [2, 'staging'],
    [5, 'planning'],
  ] as const) {
    clock = at;
    phases.begin(name);
  }
  clock = 9;
  phases.end({ 'dropslot.run': 7 });
  const [, , whole] = told;
  assert.deepEqual(
    told.map(({ name, startMs, endMs }) => [name, startMs, endMs]),
    [
      ['run: staging', 1, 5],
      ['run: planning', 5, 9],
      ['run', 0, 9],
    ],
  );
  for (const { context } of told.slice(0, 2)) {
    assert.equal(context.traceId, whole!.context.traceId);
    assert.equal(context.parentId, whole!.context.spanId);
  }
});

test('a collector that is away, refuses or never answers costs a bounded memory, and one line of the log', async (t) => {
  const refusing = await collect(t, (_, response) => response.writeHead(503).end('busy'));
  const hanging = await collect(t, () => {});
  for (const [url, expected] of [
    ['http://127.0.0.1:1/v1/traces', /ECONNREFUSED|bad port/],
    [refusing.url, /it answered 503/],
  ] as const) {
    const lines: { message: string; reason: string }[] = [];
    const traces = startTraces({ traces: url }, { part: 'server', version: '1', logger: quiet(lines), waitMs: 1 });
    for (let n = 0; n < 600; n++) tellSpan(() => span);
    await traces.stop();
    assert.equal(lines.length, 1);
    assert.match(lines[0]!.reason, expected);
  }
  const traces = startTraces({ traces: hanging.url }, { part: 'server', version: '1', logger: quiet(), waitMs: 1 });
  for (let n = 0; n < 20_000; n++) tellSpan(() => span);
  await traces.stop();
  assert.equal(hanging.requests().length, 1, 'one request at a time');
});

test('a traceparent is read as W3C Trace Context has it', () => {
  const ids = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
  const header = `00-${ids.traceId}-${ids.spanId}-01`;
  assert.deepEqual(readTraceparent(header), ids);
  assert.deepEqual(readTraceparent(`cc-${ids.traceId}-${ids.spanId}-00-more`), ids);
  for (const wrong of [
    undefined,
    '',
    `ff${header.slice(2)}`,
    `${header}-more`,
    header.toUpperCase(),
    `00-${'0'.repeat(32)}-${ids.spanId}-01`,
    `00-${ids.traceId}-${'0'.repeat(16)}-01`,
    header.slice(0, -1),
    `${header}\n`,
  ])
    assert.equal(readTraceparent(wrong), null, wrong);
});

function quiet(lines: { message: string; reason: string }[] = []) {
  const logger = createLogger({ logLevel: 'error', logFormat: 'json' });
  logger.warn = ((message: string, detail: { reason: string }) => void lines.push({ message, ...detail })) as never;
  return logger;
}

/** A collector. @param answer as one that takes the spans, unless given */
async function collect(t: TestContext, answer?: Parameters<typeof receiveWebhooks>[1]) {
  const { url, received } = await receiveWebhooks(t, answer ?? ((_, response) => response.end('{}')));
  return { url, requests: () => received.map(({ body }) => JSON.parse(body) as OtlpRequest) };
}
