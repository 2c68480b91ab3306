/** Forms that many routes share: parameters, pages of lists, times. */
import { z } from 'zod';
import { OperationError } from '../../operations/error.js';

export const time = z.iso.datetime();
export const maybeTime = time.nullable();
export const count = z.int().min(0);

/** The body of a request that is a file, and no JSON. */
export const fileBody = z.instanceof(Buffer);

/** The body of a request that its handler reads as it arrives, and that has no bound here. */
export const streamBody = z.custom<AsyncIterable<Uint8Array>>();

/** A fault, a warning or a notice. */
export const issue = z.strictObject({
  line: count.nullable(),
  column: z.string().nullable(),
  severity: z.string(),
  code: z.string(),
  message: z.string(),
  value: z.string().nullable(),
});

const mostIdLength = 64;
const mostPage = 500;

export const orgParams = z.strictObject({ org: z.string().min(1).max(mostIdLength) });
export const runParams = orgParams.extend({ run: z.string().regex(/^[1-9]\d{0,14}$/, 'must be the number of a run') });

/** `cursor`: `next` of the page before. */
export const pageQuery = z.strictObject({
  cursor: z
    .string()
    .max(2_000)
    .regex(/^[\w-]+$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(mostPage).default(100),
});

export type PageQuery = z.infer<typeof pageQuery>;

/** @param item the form of one row */
export function pageOf(item: z.ZodType) {
  return z.strictObject({ items: z.array(item), next: z.string().nullable() });
}

/** The members of `value` that the form has: the command line shows more of some. */
export function pick(form: z.ZodObject, value: object): Record<string, unknown> {
  const given = value as Record<string, unknown>;
  return Object.fromEntries(Object.keys(form.shape).map((name) => [name, given[name]]));
}

export interface Page {
  items: unknown[];
  /** The cursor of the next page; null: this is the last one. */
  next: string | null;
}

/**
 * One page of rows that begin after the cursor.
 * @param keyOf the place of a row, from which its source can continue
 */
export async function pageByKey<Row>(
  rows: AsyncIterable<Row> | Iterable<Row>,
  { limit }: PageQuery,
  keyOf: (row: Row) => string | number,
  toJson: (row: Row) => unknown,
): Promise<Page> {
  const items: unknown[] = [];
  let last: Row | null = null;
  for await (const row of rows) {
    if (items.length === limit) return { items, next: writeCursor(keyOf(last!)) };
    items.push(toJson(row));
    last = row;
  }
  return { items, next: null };
}

/** One page of rows that are numbered by their order: for short lists, whose sources begin at their first row. */
export async function pageByPlace<Row>(
  rows: AsyncIterable<Row> | Iterable<Row>,
  query: PageQuery,
  toJson: (row: Row) => unknown,
): Promise<Page> {
  const from = readNumber(query) ?? 0;
  const items: unknown[] = [];
  let place = 0;
  for await (const row of rows) {
    if (items.length === query.limit) return { items, next: writeCursor(place) };
    if (place++ >= from) items.push(toJson(row));
  }
  return { items, next: null };
}

/** undefined: the list begins. @throws OperationError `usage` */
export function readText({ cursor }: PageQuery): string | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  if (text === '' || text.includes('\0') || text.includes('\ufffd')) throw wrongCursor();
  return text;
}

/** undefined: the list begins. @throws OperationError `usage` */
export function readNumber(query: PageQuery): number | undefined {
  const text = readText(query);
  if (text !== undefined && !/^\d{1,15}$/.test(text)) throw wrongCursor();
  return text === undefined ? undefined : Number(text);
}

function writeCursor(key: string | number): string {
  return Buffer.from(String(key), 'utf8').toString('base64url');
}

export function wrongCursor(): OperationError {
  return new OperationError('usage', 'the cursor is not one of this list: use "next" of the page before, unchanged');
}
