/**
 * Spans: pieces of work with their times, for traces. They are published on a channel of the process; while nothing subscribes,
 * which is without the setting `traces`, each place costs one comparison. No attribute is personal data or a secret: no path, address or name.
 */
import { randomBytes } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';

export interface Span {
  name: string;
  /** server: a request of someone else; client: a request to someone else. */
  kind: 'internal' | 'server' | 'client';
  startMs: number;
  endMs: number;
  context: SpanContext;
  attributes: Readonly<Record<string, string | number | boolean>>;
  isFailed?: boolean;
}

/** Hexadecimal, as W3C Trace Context has them: 32 and 16 digits. */
export interface SpanContext {
  traceId: string;
  spanId: string;
  /** null: the first of its trace. */
  parentId: string | null;
}

export const spans = channel('dropslot:span');

/** Publishes a span that has ended; `make` is called only while something subscribes. */
export function tellSpan(make: () => Span): void {
  if (spans.hasSubscribers) spans.publish(make());
}

/** A new span: of a new trace, or of its parent's. */
export function newContext(parent: Pick<SpanContext, 'traceId' | 'spanId'> | null = null): SpanContext {
  return {
    traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
    spanId: randomBytes(8).toString('hex'),
    parentId: parent?.spanId ?? null,
  };
}

/** Version 00 ends after its flags; a later one may go on after a dash (W3C Trace Context, section 3.2). */
const traceparent = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The caller's span of a `traceparent` header; null: there is none, or it is malformed, and a new trace begins. */
export function readTraceparent(header: string | undefined): Pick<SpanContext, 'traceId' | 'spanId'> | null {
  const [, version, traceId, spanId, , rest] = traceparent.exec(header ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || (version === '00' && rest !== undefined)) return null;
  return { traceId, spanId };
}

/** Follows the phases of one piece of work: each ends where the next one begins. */
export interface Phases {
  /** The same phase again is no new one. */
  begin(name: string): void;
  /** Ends the last phase, and the whole. */
  end(attributes: Span['attributes'], isFailed?: boolean): void;
}

/** @param name of the whole; a phase is named `NAME: PHASE` */
export function startPhases(name: string, now: () => number): Phases {
  if (!spans.hasSubscribers) return { begin: () => {}, end: () => {} };
  const startMs = now();
  const context = newContext();
  let phase: { name: string; startMs: number } | null = null;
  const endPhase = () => {
    if (phase === null) return;
    const ended = { ...phase, name: `${name}: ${phase.name}`, endMs: now(), context: newContext(context) };
    tellSpan(() => ({ ...ended, kind: 'internal', attributes: {} }));
    phase = null;
  };
  return {
    begin: (next) => {
      if (phase?.name === next) return;
      endPhase();
      phase = { name: next, startMs: now() };
    },
    end: (attributes, isFailed = false) => {
      endPhase();
      tellSpan(() => ({ name, kind: 'internal', startMs, endMs: now(), context, attributes, isFailed }));
    },
  };
}
