/** Passes the rows of a file through the import hook `mapRow`, between parsing and the header's reading. */
import { RefusalError, refuse } from '../codes.js';
import { oneLine } from '../outside.js';
import { countOwn } from './header.js';
import type { Limits, Row } from './parse.js';

/** As `mapRow` of the import hooks. */
export interface RowMapper {
  map(row: Record<string, string>): unknown;
  /** Rows that another version has mapped are read again. */
  digest: string;
}

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
    for (const row of batch) {
      if (sent === undefined) {
        header = row;
        sent = readSent(row);
        continue;
      }
      const result = mapOne(row, sent, mapper, columns, limits);
      if ('columns' in result) open(result.columns);
      (columns === undefined ? waiting : mapped).push({ ...row, ...result.row });
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

function mapOne(
  { cells, faulty }: Row,
  { labels, length }: SentHeader,
  mapper: RowMapper,
  columns: Columns | undefined,
  limits: Limits,
): Mapped {
  if (faulty !== undefined) return { row: { cells } };
  const isFitting = cells.length >= labels.length && cells.slice(length).every((cell) => cell.trim() === '');
  if (!isFitting)
    return {
      row: { cells, problem: { code: 'cell_count', details: { count: cells.length, expected: labels.length } } },
    };
  try {
    const row: Record<string, string> = Object.create(null);
    for (const [index, label] of labels.entries()) if (label !== '') row[label] = cells[index]!;
    const values = readResult(mapper.map(row), limits);
    if (columns === undefined) return { row: { cells: [...values.values()] }, columns: [...values.keys()] };
    for (const label of values.keys())
      if (!columns.known.has(label))
        throw new Error(`it returned "${label}", which it did not return for the first row`);
    return { row: { cells: columns.labels.map((label) => values.get(label) ?? '') } };
  } catch (error) {
    const reason = oneLine(error instanceof Error ? error.message : String(error)).slice(0, 300);
    return { row: { cells, problem: { code: 'hook_fault', details: { reason } } } };
  }
}

function readResult(result: unknown, { maxCellBytes }: Limits): Map<string, string> {
  if (typeof result !== 'object' || result === null || result instanceof Promise || Array.isArray(result))
    throw new Error('it must return an object of labels and texts');
  const values = new Map<string, string>();
  for (const [label, value] of Object.entries(result)) {
    if (value !== null && value !== undefined && typeof value !== 'string')
      throw new Error(`the value of "${label}" is not a text`);
    const text: string = value ?? '';
    if (Buffer.byteLength(text) > maxCellBytes) throw new Error(`"${label}" has more than ${maxCellBytes} bytes`);
    values.set(label, text);
  }
  return values;
}
