/** Reads a request against the schemas of its route: path, query and body, each with a bound. */
import type { Context } from 'hono';
import type { z } from 'zod';
import { fileBody, streamBody } from './forms.js';
import { ApiError, misfit } from './problem.js';
import type { Route } from './route.js';

const mostBodyBytes = 256 * 1024;
const mostFileBytes = 10 * 1024 * 1024;

export interface Inputs {
  params: unknown;
  query: unknown;
  body: unknown;
  headers: unknown;
}

/** All but the body. @throws ApiError `usage` */
export function readHead(c: Context, { params, query, headers }: Route): Omit<Inputs, 'body'> {
  return {
    params: check('path', params, c.req.param()),
    query: check('query', query, readQuery(c.req.url)),
    headers: check('header', headers, readHeaders(c, Object.keys(headers.shape))),
  };
}

/** Only those that the route knows: a client sends many others. */
function readHeaders(c: Context, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (c.req.header(name) === undefined ? [] : [[name, c.req.header(name)!]])),
  );
}

/** @throws ApiError `usage`, `too_large`, `unsupported` */
export async function readBody(c: Context, { body: form }: Pick<Route, 'body'>): Promise<unknown> {
  if (form === null) return null;
  if (form === streamBody) return c.req.raw.body ?? new Blob([]).stream();
  return form === fileBody ? readFile(c) : check('body', form, await readJsonBody(c));
}

/** @throws ApiError `usage` when a parameter is given twice: one of the two would be ignored */
function readQuery(url: string): Record<string, string> {
  const given = [...new URL(url).searchParams];
  const names = given.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ApiError('usage', `query.${twice.slice(0, 100)}: is given twice`);
  return Object.fromEntries(given);
}

function check(part: string, schema: z.ZodType, given: unknown): unknown {
  const read = schema.safeParse(given);
  if (!read.success) throw misfit(part, read.error);
  if (!isStorable(read.data))
    throw new ApiError('usage', `${part}: the character U+0000 and half of a surrogate pair are not accepted`);
  return read.data;
}

/** PostgreSQL takes no U+0000 in a text; half of a surrogate pair has no form in UTF-8. */
const unstorable = /\0|\p{Surrogate}/u;

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !unstorable.test(value);
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, one]) => !unstorable.test(name) && isStorable(one));
}

/** @throws ApiError `unsupported`, `too_large`, `usage` */
export async function readJsonBody(c: Context): Promise<unknown> {
  if (!/^application\/(scim\+)?json\s*(;|$)/i.test(c.req.header('content-type') ?? ''))
    throw new ApiError('unsupported', 'send the body as JSON, with "Content-Type: application/json"');
  const text = await readText(c);
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError('usage', 'body: is not valid JSON');
  }
}

function readFile(c: Context): Promise<Buffer> {
  if (!/^(text\/csv|application\/octet-stream)\s*(;|$)/i.test(c.req.header('content-type') ?? ''))
    throw new ApiError('unsupported', 'send the file as the body, with "Content-Type: text/csv"');
  return readBytes(c, mostFileBytes);
}

async function readText(c: Context): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readBytes(c, mostBodyBytes));
  } catch (error) {
    if (error instanceof ApiError) throw error;
    throw new ApiError('usage', 'body: is not valid UTF-8');
  }
}

/** The server itself lets a request arrive for an hour, as an upload may. */
const longestMs = 60_000;

/**
 * @param name of the body in messages
 * @param limit the message for a larger one
 * @throws ApiError `too_large`; `usage` when it does not arrive in time
 */
export async function readBytes(
  c: Context,
  most: number,
  name = 'body',
  limit = `the ${name} may have ${most} bytes at most`,
): Promise<Buffer> {
  const late = new ApiError('usage', `the ${name} did not arrive within ${longestMs / 1000} s`);
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late), longestMs);
  });
  return Promise.race([collect(c, most, limit), timeout]).finally(() => clearTimeout(timer));
}

async function collect(c: Context, most: number, limit: string): Promise<Buffer> {
  const tooLarge = () => new ApiError('too_large', limit);
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
