/**
 * Sends the spans of this process to a collector of OpenTelemetry, by OTLP over HTTP in JSON
 * (https://opentelemetry.io/docs/specs/otlp/#otlphttp). No work waits for it: what a collector does not take in time is dropped.
 */

import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import { spans as channel, type Span } from '../config/spans.js';

export interface TraceOptions {
  /** Of this process, as in the log: `server`, `api`, `importer`. */
  part: string;
  version: string;
  logger: Logger;
  /** For tests. */
  waitMs?: number;
}

export interface Traces {
  /** Sends the rest, for a second at most. */
  stop(): Promise<void>;
}

/** A batch goes out after this time, or when it has so many spans. */
const usualWaitMs = 2_000;
const batchSpans = 256;
/** Some 600 bytes each: a collector that is away costs two megabytes at most. */
const mostWaiting = 4_096;
const sendWithinMs = 5_000;
const stopWithinMs = 1_000;
/** A collector that is away is named once, and again after so many ms. */
const tellEveryMs = 3_600_000;

/** Without the setting `traces` nothing subscribes, and nothing is made. */
export function startTraces({ traces: endpoint }: Pick<Settings, 'traces'>, options: TraceOptions): Traces {
  if (endpoint === undefined) return { stop: async () => {} };
  const { part, version, logger, waitMs = usualWaitMs } = options;
  const resource = {
    attributes: attributesOf({
      'service.name': 'dropslot',
      'service.version': version,
      'dropslot.part': part,
      'process.pid': process.pid,
    }),
  };
  const waiting: Span[] = [];
  let dropped = 0;
  let timer: NodeJS.Timeout | null = null;
  let sending: Promise<void> | null = null;
  let toldAt = Number.NEGATIVE_INFINITY;
  const onSpan = (message: unknown) => {
    if (waiting.length >= mostWaiting) dropped += 1;
    else waiting.push(message as Span);
    if (waiting.length >= batchSpans) send();
    else timer ??= setTimeout(send, waitMs).unref();
  };
  const send = () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    if (sending !== null || waiting.length === 0) return;
    sending = post(waiting.splice(0, batchSpans)).finally(() => {
      sending = null;
      if (waiting.length > 0) timer ??= setTimeout(send, waiting.length >= batchSpans ? 0 : waitMs).unref();
    });
  };
  const post = async (batch: readonly Span[]) => {
    try {
      const scope = { name: 'dropslot', version };
      const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans: batch.map(toOtlp) }] }] });
      const answer = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(sendWithinMs),
      });
      await answer.body?.cancel();
      if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    } catch (error) {
      dropped += batch.length;
      if (performance.now() - toldAt < tellEveryMs) return;
      toldAt = performance.now();
      const { message, cause } = error as Error;
      const reason = (cause as Error | undefined)?.message ?? message;
      logger.warn('could not send spans to the collector of the setting traces; they are dropped', { dropped, reason });
      dropped = 0;
    }
  };
  channel.subscribe(onSpan);
  const stop = async () => {
    channel.unsubscribe(onSpan);
    const rest = async () => {
      await sending;
      while (waiting.length > 0) {
        send();
        await sending;
      }
    };
    let late: NodeJS.Timeout | undefined;
    await Promise.race([
      rest(),
      new Promise((resolve) => {
        late = setTimeout(resolve, stopWithinMs);
      }),
    ]);
    clearTimeout(late);
    if (timer !== null) clearTimeout(timer);
  };
  return { stop };
}

const kinds = { internal: 1, server: 2, client: 3 } as const;
const failed = 2;

/** As the JSON mapping of the protocol has it: ids in hexadecimal, and numbers of 64 bits as texts. */
function toOtlp({ name, kind, startMs, endMs, context, attributes, isFailed = false }: Span) {
  const { traceId, spanId, parentId } = context;
  return {
    traceId,
    spanId,
    ...(parentId !== null && { parentSpanId: parentId }),
    name,
    kind: kinds[kind],
    startTimeUnixNano: toNanoseconds(startMs),
    endTimeUnixNano: toNanoseconds(Math.max(startMs, endMs)),
    attributes: attributesOf(attributes),
    status: isFailed ? { code: failed } : {},
  };
}

function toNanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}

function attributesOf(values: Span['attributes']) {
  return Object.entries(values).map(([key, value]) => ({ key, value: toValue(value) }));
}

function toValue(value: string | number | boolean) {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}
