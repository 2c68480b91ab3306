/** Writes answers: JSON with its ETag, downloads as streams, and problems. */
import { createHash } from 'node:crypto';
import { escapeJson } from '../../operations/format.js';
import type { Problem } from './problem.js';
import { type Content, Reply, type Route } from './route.js';

/** Status 304 where `ifNoneMatch` has the ETag. */
export function answerJson(given: unknown, { status, method }: Route, ifNoneMatch: string | undefined): Response {
  const { value, headers: own, status: ownStatus } = given instanceof Reply ? given : new Reply(given, {});
  const text = toText(value);
  const etag = etagOf(value);
  const headers = { ...own, 'content-type': 'application/json; charset=utf-8', etag };
  if (method === 'GET' && hasTag(ifNoneMatch, etag))
    return new Response(null, { status: 304, headers: { ...own, etag } });
  return new Response(text, { status: ownStatus ?? status, headers });
}

/** Of the JSON of a value: equal for equal values. */
export function etagOf(value: unknown): string {
  return `"${createHash('sha256').update(toText(value)).digest('base64url').slice(0, 32)}"`;
}

/** Whether `If-Match` or `If-None-Match` names the tag, or any. */
export function hasTag(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}

/** Waits for the first piece, so that a file that does not exist is an error, and not an empty download. */
export async function answerContent({ content, fileName }: Content, type: string): Promise<Response> {
  const pieces = content[Symbol.asyncIterator]();
  const encode = (piece: string | Uint8Array) => (typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece);
  const first = await pieces.next();
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => (first.done === true ? controller.close() : controller.enqueue(encode(first.value))),
      // The next piece is read when the client has taken the one before.
      pull: async (controller) => {
        const next = await pieces.next();
        if (next.done === true) controller.close();
        else controller.enqueue(encode(next.value));
      },
      cancel: async () => {
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

export function answerProblem(problem: Problem, headers: Record<string, string> = {}): Response {
  return new Response(toText(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json; charset=utf-8', ...headers },
  });
}

function toText(value: unknown): string {
  return escapeJson(JSON.stringify(value));
}
