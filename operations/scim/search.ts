/** Searches resources of one type: counts those that fit, and gives one page of them with their ETags. */
import { createHash } from 'node:crypto';
import type { ScimPage } from '../../db/directory/scimusers.js';
import { ScimError } from './error.js';
import type { Filter, Operator, Value } from './filter.js';
import { isDecided, matches, mentions, type Resource } from './match.js';
import { isSelected, type Selection, select } from './selection.js';

export interface Search {
  /** Only the resource with this number. */
  id: number | null;
  filter: Filter | null;
  selection: Selection;
  /** From 1 on. */
  startIndex: number;
  count: number;
}

/** Where resources of a type come from. */
export interface Source<Row> {
  list(search: Pick<Search, 'id' | 'filter'>, page: ScimPage): Promise<Row[]>;
  count(search: Pick<Search, 'id' | 'filter'>): Promise<number>;
  keyOf(row: Row): string;
  /** @param needs whether an attribute that costs a query is needed */
  toResources(rows: readonly Row[], needs: (name: string) => boolean): Promise<Resource[]>;
}

export interface Found {
  total: number;
  resources: Resource[];
}

const scanRows = 1_000;

export interface Bounds {
  /** Ends a long scan. */
  signal: AbortSignal;
  /** Called once, before a scan reads more rows than some. @throws ScimError where it may not */
  onLong(): void;
}

/** @throws ScimError `tooMany`, and those of `onLong` */
export async function search<Row>(source: Source<Row>, wanted: Search, bounds: Bounds): Promise<Found> {
  const { filter } = wanted;
  if (filter !== null && !isDecided(filter)) return scan(source, wanted, filter, bounds);
  const total = await source.count(wanted);
  const limit = Math.min(wanted.count, Math.max(0, total - wanted.startIndex + 1));
  const page = { after: null, skip: wanted.startIndex - 1, limit };
  const rows = limit === 0 ? [] : await source.list(wanted, page);
  return { total, resources: await show(source, rows, wanted.selection) };
}

/** The resource itself, with its ETag in `meta.version`; null: there is none. */
export async function findOne<Row>(source: Source<Row>, id: number, selection: Selection): Promise<Resource | null> {
  const rows = await source.list({ id, filter: null }, { after: null, limit: 1 });
  return (await show(source, rows, selection))[0] ?? null;
}

/** Reads all that the database has left over: texts compare without regard to case, as no database does it. */
async function scan<Row>(
  source: Source<Row>,
  wanted: Search,
  filter: Filter,
  { signal, onLong }: Bounds,
): Promise<Found> {
  const { startIndex, count, selection } = wanted;
  const needs = (name: string) => mentions(filter, name);
  const shown: Row[] = [];
  let total = 0;
  for (let after: string | null = null; ; ) {
    if (signal.aborted) throw new ScimError(400, 'tooMany', 'the search takes too long: use a narrower filter');
    const rows: Row[] = await source.list(wanted, { after, limit: scanRows });
    const resources = await source.toResources(rows, needs);
    for (const [index, resource] of resources.entries()) {
      if (!matches(resource, filter)) continue;
      total++;
      if (total >= startIndex && shown.length < count) shown.push(rows[index]!);
    }
    if (rows.length < scanRows) break;
    if (after === null) onLong();
    after = source.keyOf(rows.at(-1)!);
  }
  return { total, resources: await show(source, shown, selection) };
}

async function show<Row>(source: Source<Row>, rows: readonly Row[], selection: Selection): Promise<Resource[]> {
  const resources = await source.toResources(rows, (name) => isSelected(selection, name));
  return resources.map((resource) => select(withVersion(resource), selection));
}

/** The ETag is of all but the costly attributes that are not selected: it holds for requests with the same selection. */
function withVersion(resource: Resource): Resource {
  const hash = createHash('sha256').update(JSON.stringify(resource)).digest('base64url').slice(0, 22);
  return { ...resource, meta: { ...(resource.meta as Resource), version: `W/"${hash}"` } };
}

/** The rows of each key, in their order. */
export function groupBy<Row, Key>(rows: readonly Row[], keyOf: (row: Row) => Key): Map<Key, Row[]> {
  const groups = new Map<Key, Row[]>();
  for (const row of rows) {
    const known = groups.get(keyOf(row));
    if (known === undefined) groups.set(keyOf(row), [row]);
    else known.push(row);
  }
  return groups;
}

/** A number that no row has, where it is none. */
export function readId(text: string): number {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : 0;
}

/** The time that a necessary comparison begins at; undefined: it gives none. */
export function readSince(operator: Operator, value: Value): number | undefined {
  return ['gt', 'ge', 'eq'].includes(operator) && typeof value === 'string' ? Date.parse(value) : undefined;
}
