/** Reads the form of a request, of a bounded size: values of one line each, and at most one file. */
import { ApiError } from '../api/problem.js';
import { readBytes } from '../api/request.js';
import type { Ctx } from './guard.js';

const mostFormBytes = 256 * 1024;
const mostFileBytes = 10 * 1024 * 1024;
const formLimit = `the form may have ${mostFormBytes / 1024} KiB at most`;
const fileLimit = `the file may have ${mostFileBytes / 1024 / 1024} MiB at most; upload it by SFTP below /dry-run`;

export interface Form {
  values: Record<string, string>;
  file: { name: string; bytes: Buffer } | null;
}

/** A larger file is broken off by the server, and the browser shows no reason. */
const mostSkippedBytes = 256 * 1024 * 1024;
const longestSkipMs = 60_000;

/**
 * Reads a form that is refused, and keeps nothing of it: a browser shows the answer only when it could send the whole form, and a connection
 * with an unread form is soon reset.
 */
export async function skipForm(c: Ctx): Promise<void> {
  const { body } = c.req.raw;
  if (body === null || Number(c.req.header('content-length') ?? 0) > mostSkippedBytes) return;
  const reader = body.getReader();
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), longestSkipMs);
  try {
    for (let bytes = 0; bytes <= mostSkippedBytes; ) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.length;
    }
  } catch {
    // The browser is gone.
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the browser says that its form is larger than one with a file may be. */
export function isTooLarge(c: Ctx): boolean {
  return Number(c.req.header('content-length') ?? 0) > mostFileBytes + mostFormBytes;
}

/**
 * @param takesFile only such a form may have the size of a file
 * @throws ApiError `too_large`, `unsupported`, `usage`
 */
export async function readForm(c: Ctx, takesFile = false): Promise<Form> {
  const type = c.req.header('content-type') ?? '';
  if (/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
    const text = (await readBytes(c, mostFormBytes, 'form', formLimit)).toString('utf8');
    return { values: keep([...new URLSearchParams(text)]), file: null };
  }
  if (!takesFile || !/^multipart\/form-data\s*;/i.test(type))
    throw new ApiError('unsupported', 'the form has an unknown encoding');
  const bytes = await readBytes(c, mostFileBytes + mostFormBytes, 'form', fileLimit);
  const data = await new Response(bytes, { headers: { 'content-type': type } }).formData().catch(() => {
    throw new ApiError('usage', 'the form arrived incomplete: send it again');
  });
  const values: [string, string][] = [];
  let file: Form['file'] = null;
  for (const [name, value] of data)
    if (typeof value === 'string') values.push([name, value]);
    else file = { name: value.name, bytes: Buffer.from(await value.arrayBuffer()) };
  if (file !== null && file.bytes.length > mostFileBytes) throw new ApiError('too_large', fileLimit);
  return { values: keep(values), file };
}

/** The first value of each name; PostgreSQL takes no U+0000. @throws ApiError `usage` */
function keep(pairs: readonly [string, string][]): Record<string, string> {
  const values: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) {
    if (name.includes('\0') || value.includes('\0'))
      throw new ApiError('usage', 'the character U+0000 is not accepted');
    values[name] ??= value;
  }
  return values;
}
