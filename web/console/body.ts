/** Reads the form of a request, of a bounded size: values of one line each, and at most one file. */
import { ApiError } from '../api/problem.js';
import type { Ctx } from './guard.js';

const mostFormBytes = 256 * 1024;
const mostFileBytes = 10 * 1024 * 1024;

export interface Form {
  values: Record<string, string>;
  file: { name: string; bytes: Buffer } | null;
}

/** @throws ApiError `too_large`, `unsupported`, `usage` */
export async function readForm(c: Ctx): Promise<Form> {
  const type = c.req.header('content-type') ?? '';
  if (/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
    const text = (await readBytes(c, mostFormBytes)).toString('utf8');
    return { values: keep([...new URLSearchParams(text)]), file: null };
  }
  if (!/^multipart\/form-data\s*;/i.test(type)) throw new ApiError('unsupported', 'the form has an unknown encoding');
  const bytes = await readBytes(c, mostFileBytes + mostFormBytes);
  const data = await new Response(bytes, { headers: { 'content-type': type } }).formData().catch(() => {
    throw new ApiError('usage', 'the form arrived incomplete: send it again');
  });
  const values: [string, string][] = [];
  let file: Form['file'] = null;
  for (const [name, value] of data)
    if (typeof value === 'string') values.push([name, value]);
    else file = { name: value.name, bytes: Buffer.from(await value.arrayBuffer()) };
  if (file !== null && file.bytes.length > mostFileBytes)
    throw new ApiError(
      'too_large',
      `the file may have ${mostFileBytes / 1024 / 1024} MiB at most; upload it by SFTP below /dry-run`,
    );
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

async function readBytes(c: Ctx, most: number): Promise<Buffer> {
  const tooLarge = () => new ApiError('too_large', `the form may have ${Math.floor(most / 1024)} KiB at most`);
  if (Number(c.req.header('content-length') ?? 0) > most) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.length;
    if (bytes > most) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
