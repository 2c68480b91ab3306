/** Passes the rows of a file through the import hook `mapRow`, between parsing and the header's reading. */
import { RefusalError, refuse } from '../codes.js';
import { oneLine } from '../outside.js';
import { countOwn } from './header.js';
import type { Limits, Row } from './parse.js';

/** By `mapRow` of the import hooks: many rows in one call, since the function may be one of another process. */
export interface RowMapper {
  /** The results in the order of the rows. @param rows the cells by the index of their label; of a blank label they are left out */
  map(
    labels: readonly string[],
    rows: readonly (readonly string[])[],
  ): readonly MappedRow[] | Promise<readonly MappedRow[]>;
  /** Rows that another version has mapped are read again. */
  digest: string;
}

/** The labels and texts of a row, or why it has none. */
export type MappedRow = { values: readonly (readonly [string, string])[] } | { reason: string };

/** The first row that can be mapped decides the columns; after this many that cannot, the header stays as it was sent. */
const mostWaiting = 1000;

/** Yields the batches with mapped rows, the header first. @throws RefusalError where two columns have one label. */
export async function* mapRows<T extends Row>(
  batches: AsyncIterable<T[]>,
  mapper: RowMapper | undefined,
  limits: Limits,
): AsyncGenerator<T[]> {
  if (mapper === undefined) {
    yield* batches;
    return;
  }
  let header: T | undefined;
  let sent: SentHeader | undefined;
  let columns: Columns | undefined;
  let waiting: T[] = [];
  for await (const batch of batches) {
    const mapped: T[] = [];
    const open = (labels: string[]) => {
      columns = { labels, known: new Set(labels) };
      mapped.push({ ...header!, cells: labels }, ...waiting);
      waiting = [];
    };
    const first = header === undefined ? batch[0] : undefined;
    if (first !== undefined) [header, sent] = [first, readSent(first)];
    if (sent === undefined) continue;
    const rows = first === undefined ? batch : batch.slice(1);
    const whole = rows.filter((row) => findProblem(row, sent!) === null);
    const results =
      whole.length === 0
        ? []
        : await mapper.map(
            sent.labels,
            whole.map(({ cells }) => cells.slice(0, sent!.labels.length)),
          );
    let next = 0;
    for (const row of rows) {
      const problem = findProblem(row, sent);
      const result = problem ?? toCells(row, results[next++]!, columns, limits);
      if ('columns' in result) open(result.columns);
      (columns === undefined ? waiting : mapped).push({ ...row, isClean: false, ...result.row });
      if (columns === undefined && waiting.length >= mostWaiting) open(sent.labels);
    }
    if (mapped.length > 0) yield mapped;
  }
  if (header !== undefined && columns === undefined) yield [{ ...header, cells: sent!.labels }, ...waiting];
}

/** Of the mapped rows. */
interface Columns {
  labels: readonly string[];
  known: ReadonlySet<string>;
}

interface SentHeader {
  labels: string[];
  /** The cells of the header; two more columns of a file that was rejected and comes back have no label here. */
  length: number;
}

function readSent({ cells, line }: Row): SentHeader {
  const labels = cells.slice(0, countOwn(cells)).map((cell) => cell.trim());
  const seen = new Set(['']);
  const twice = labels.find((label) => label !== '' && seen.size === seen.add(label).size);
  if (twice !== undefined) throw new RefusalError(refuse('hook_labels', { label: twice }, line));
  return { labels, length: cells.length };
}

type Mapped = { row: Pick<Row, 'cells' | 'problem'> } | { row: Pick<Row, 'cells'>; columns: string[] };

/** The row as it is, where the hook does not get it. null: it gets it. */
function findProblem({ cells, faulty }: Row, { labels, length }: SentHeader): Mapped | null {
  if (faulty !== undefined) return { row: { cells } };
  const isFitting = cells.length >= labels.length && cells.slice(length).every((cell) => cell.trim() === '');
  if (isFitting) return null;
  return { row: { cells, problem: { code: 'cell_count', details: { count: cells.length, expected: labels.length } } } };
}

function toCells({ cells }: Row, mapped: MappedRow, columns: Columns | undefined, { maxCellBytes }: Limits): Mapped {
  try {
    if ('reason' in mapped) throw new Error(mapped.reason);
    const values = new Map(mapped.values);
    for (const [label, text] of values)
      if (Buffer.byteLength(text) > maxCellBytes) throw new Error(`"${label}" has more than ${maxCellBytes} bytes`);
    if (columns === undefined) return { row: { cells: [...values.values()] }, columns: [...values.keys()] };
    for (const label of values.keys())
      if (!columns.known.has(label))
        throw new Error(`it returned "${label}", which it did not return for the first row`);
    return { row: { cells: columns.labels.map((label) => values.get(label) ?? '') } };
  } catch (error) {
    const reason = oneLine((error as Error).message).slice(0, 300);
    return { row: { cells, problem: { code: 'hook_fault', details: { reason } } } };
  }
}

/** The labels and texts of a row that the hook returned. @throws Error when it is anything else */
export function readMapped(result: unknown): [string, string][] {
  if (typeof result !== 'object' || result === null || result instanceof Promise || Array.isArray(result))
    throw new Error('it must return an object of labels and texts');
  return Object.entries(result).map(([label, value]: [string, unknown]) => {
    if (value !== null && value !== undefined && typeof value !== 'string')
      throw new Error(`the value of "${label}" is not a text`);
    return [label, value ?? ''];
  });
}
