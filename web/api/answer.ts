/** Writes answers: JSON with its ETag, downloads as streams, and problems. */
import { createHash } from 'node:crypto';
import type { Logger } from '../../config/logger.js';
import { escapeJson } from '../../operations/format.js';
import type { Problem } from './problem.js';
import { type Content, Reply, type Route } from './route.js';

/** Status 304 where `ifNoneMatch` has the ETag. */
export function answerJson(given: unknown, { status, method }: Route, ifNoneMatch: string | undefined): Response {
  const { value, headers: own, status: ownStatus } = given instanceof Reply ? given : new Reply(given, {});
  const text = toText(value);
  const etag = tagOf(text);
  const headers = { ...own, 'content-type': 'application/json; charset=utf-8', etag };
  if (method === 'GET' && hasTag(ifNoneMatch, etag))
    return new Response(null, { status: 304, headers: { ...own, etag } });
  return new Response(text, { status: ownStatus ?? status, headers });
}

/** Of the JSON of a value: equal for equal values. */
export function etagOf(value: unknown): string {
  return tagOf(toText(value));
}

function tagOf(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 32)}"`;
}

/** Whether `If-Match` or `If-None-Match` names the tag, or any. */
export function hasTag(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}

/** How slow the reader of a download may be: it has a place that others wait for. */
export interface Pace {
  /** Bytes that it must take in each second, on average. */
  bytesPerSecond: number;
  /** It may be as much behind as this. */
  graceMs: number;
}

/** A connection of a phone is quicker; a program that only holds the place is not. */
const leastPace: Pace = { bytesPerSecond: 8 * 1024, graceMs: 60_000 };

export interface Ending {
  /** Ends the connection: its client must not take the part for the whole. Without it the stream has the error. */
  breakOff?: ((reason: Error) => void) | undefined;
  pace?: Pace;
}

/**
 * Waits for the first piece, so that a file that does not exist is an error, and not an empty download. A reader that is too slow is
 * cut off.
 */
export async function answerContent(
  { content, fileName }: Content,
  type: string,
  { breakOff, pace = leastPace }: Ending = {},
): Promise<Response> {
  const pieces = content[Symbol.asyncIterator]();
  const encode = (piece: string | Uint8Array) => (typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece);
  const first = await pieces.next();
  const reader = watchReader(pace);
  let hasLeft = false;
  const give = (
    controller: ReadableStreamDefaultController<Uint8Array>,
    next: IteratorResult<string | Uint8Array, unknown>,
  ) => {
    if (next.done === true) return controller.close();
    const bytes = encode(next.value);
    controller.enqueue(bytes);
    reader.gave(bytes.length, () => {
      end(controller, new Error('its reader was too slow'));
      pieces.return?.().catch(() => {});
    });
  };
  const end = (controller: ReadableStreamDefaultController<Uint8Array>, reason: Error) =>
    breakOff === undefined ? controller.error(reason) : breakOff(reason);
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => give(controller, first),
      // The next piece is read when the client has taken the one before.
      pull: async (controller) => {
        reader.took();
        await pieces.next().then(
          (next) => give(controller, next),
          (error: Error) => (hasLeft ? undefined : end(controller, error)),
        );
      },
      cancel: async () => {
        hasLeft = true;
        reader.took();
        await pieces.return?.();
      },
    },
    { highWaterMark: 1 },
  );
  const headers: Record<string, string> = { 'content-type': type === 'text/csv' ? 'text/csv; charset=utf-8' : type };
  if (fileName !== null)
    headers['content-disposition'] = `attachment; filename*=UTF-8''${encodeURIComponent(fileName)}`;
  return new Response(stream, { headers });
}

/** Only the time in which the reader lets the server wait counts, not that in which the server makes the next piece. */
function watchReader({ bytesPerSecond, graceMs }: Pace) {
  let leftMs = graceMs;
  let gaveAt = 0;
  let timer: NodeJS.Timeout | undefined;
  return {
    gave(bytes: number, cutOff: () => void) {
      leftMs = Math.min(graceMs, leftMs) + (bytes / bytesPerSecond) * 1_000;
      gaveAt = performance.now();
      timer = setTimeout(cutOff, leftMs);
    },
    took() {
      clearTimeout(timer);
      leftMs -= performance.now() - gaveAt;
    },
  };
}

/** undefined: there is no connection, as in tests. */
export function breakerOf(
  env: { outgoing?: { destroy(): unknown } } | undefined,
  requestId: string,
  logger: Logger,
): Ending['breakOff'] {
  const { outgoing } = env ?? {};
  if (outgoing === undefined) return undefined;
  return ({ message }) => {
    logger.warn('a download was broken off', { requestId, reason: message });
    // The adapter of the HTTP server would write the error behind the content, and end the answer as if it were whole.
    outgoing.destroy();
  };
}

export function answerProblem(problem: Problem, headers: Record<string, string> = {}): Response {
  return new Response(toText(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json; charset=utf-8', ...headers },
  });
}

function toText(value: unknown): string {
  return escapeJson(JSON.stringify(value));
}
