/** The output of commands: tables that fit a terminal and are not cut when piped, or JSON for programs. */
import { once } from 'node:events';
import type { WriteStream } from 'node:tty';
import { escapeControl, escapeText, withSchema } from '../operations/format.js';

export interface Column<Row> {
  title: string;
  cell(row: Row): string;
  align?: 'right';
  /** On a terminal its text has as many lines as it needs; other columns are cut. */
  wraps?: true;
}

export interface ListView<Row> {
  columns: Column<Row>[];
  /** For people, when there are no rows. */
  empty: string;
  toJson(row: Row): unknown;
}

export interface Output {
  readonly json: boolean;
  /** One result: its text for people, its value for programs. */
  show(value: unknown, text: string): Promise<void>;
  /** Many results, streamed: a table, or one JSON array. @param inside whether the array is a member of a value that has the version. */
  list<Row>(rows: Iterable<Row> | AsyncIterable<Row>, view: ListView<Row>, inside?: boolean): Promise<void>;
  /** Raw content: a stored file, CSV. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** A remark beside the result, on standard error; not printed with --json. */
  note(text: string): void;
}

/** Column widths are measured over this many rows; a wider cell of a later row is not aligned. */
const measuredRows = 500;

export function createOutput(json: boolean, stdout: WriteStream, stderr: NodeJS.WritableStream): Output {
  const print = (text: string | Uint8Array) => writeText(stdout, text);
  const note = (text: string) => {
    if (!json) stderr.write(`${escapeText(text)}\n`);
  };
  return {
    json,
    note,
    show: (value, text) => print(json ? `${JSON.stringify(withVersion(value), null, 2)}\n` : `${escapeText(text)}\n`),
    write: print,
    list: async (rows, view, inside = false) => {
      if (json) return printJson(rows, (row) => (inside ? view.toJson(row) : withVersion(view.toJson(row))), print);
      if ((await printTable(rows, view.columns, stdout.isTTY ? stdout.columns : null, print)) === 0) note(view.empty);
    },
  };
}

/** Each object has the version; of an array each element, so that it is an array still. */
function withVersion(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withVersion);
  return typeof value === 'object' && value !== null ? withSchema(value) : value;
}

/** Writes, and waits for a slow reader of the pipe, so that memory stays bounded. */
export async function writeText(stream: NodeJS.WritableStream, text: string | Uint8Array): Promise<void> {
  if (!stream.write(text)) await once(stream, 'drain');
}

async function printJson<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  toJson: (row: Row) => unknown,
  print: (text: string) => Promise<void>,
): Promise<void> {
  let separator = '[\n  ';
  for await (const row of rows) {
    await print(`${separator}${JSON.stringify(toJson(row))}`);
    separator = ',\n  ';
  }
  await print(separator.startsWith('[') ? '[]\n' : '\n]\n');
}

async function printTable<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  columns: Column<Row>[],
  width: number | null,
  print: (text: string) => Promise<void>,
): Promise<number> {
  let count = 0;
  let waiting: string[][] = [];
  let widths: number[] | null = null;
  const flush = async () => {
    if (widths === null) {
      const titles = columns.map((column) => column.title);
      widths = fitWidths([titles, ...waiting], width);
      waiting.unshift(titles);
    }
    const lines = waiting.map((cells) => renderLine(cells, columns, widths!, width !== null));
    waiting = [];
    await print(`${lines.join('\n')}\n`);
  };
  for await (const row of rows) {
    count++;
    waiting.push(columns.map((column) => escapeControl(column.cell(row))));
    if (waiting.length >= measuredRows) await flush();
  }
  if (waiting.length > 0) await flush();
  return count;
}

/** Natural widths; on a terminal the widest columns shrink until a line fits. */
function fitWidths(lines: string[][], width: number | null): number[] {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((cells) => displayWidth(cells[column]!))));
  if (width === null) return widths;
  const available = Math.max(width - 2 * (widths.length - 1), widths.length * 6);
  while (widths.reduce((sum, each) => sum + each, 0) > available) {
    widths[widths.indexOf(Math.max(...widths))]!--;
  }
  return widths;
}

function renderLine(cells: string[], columns: ColumnForm[], widths: number[], cut: boolean): string {
  const pieces = cells.map((cell, column) =>
    cut && columns[column]!.wraps === true ? wrapText(cell, widths[column]!) : [cell],
  );
  const lines = Array.from({ length: Math.max(...pieces.map(({ length }) => length)) }, (_, at) =>
    renderPieces(
      pieces.map((texts) => texts[at] ?? ''),
      columns,
      widths,
      cut,
    ),
  );
  return lines.join('\n');
}

type ColumnForm = Pick<Column<never>, 'align' | 'wraps'>;

/** Pieces that are no wider, cut between words where that is possible. */
function wrapText(text: string, width: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    const longer = line === '' ? word : `${line} ${word}`;
    if (displayWidth(longer) <= width) lines[lines.length - 1] = longer;
    else lines.push(...breakWord(word, width));
  }
  return lines[0] === '' && lines.length > 1 ? lines.slice(1) : lines;
}

function breakWord(word: string, width: number): string[] {
  const pieces = [''];
  for (const character of word) {
    if (displayWidth(pieces.at(-1)! + character) > width) pieces.push('');
    pieces[pieces.length - 1] += character;
  }
  return pieces;
}

function renderPieces(cells: string[], columns: ColumnForm[], widths: number[], cut: boolean): string {
  const padded = cells.map((cell, column) => {
    const text = cut ? cutText(cell, widths[column]!) : cell;
    const fill = ' '.repeat(Math.max(0, widths[column]! - displayWidth(text)));
    return columns[column]!.align === 'right' ? fill + text : text + fill;
  });
  return padded.join('  ').trimEnd();
}

function cutText(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = '';
  let used = 0;
  for (const character of text) {
    used += displayWidth(character);
    if (used > width - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/** Lines of `name: value` with the values aligned; null values are left out. */
export function renderRecord(fields: [name: string, value: string | null][]): string {
  const present = fields.filter((field): field is [string, string] => field[1] !== null);
  const width = Math.max(...present.map(([name]) => displayWidth(escapeControl(name))));
  return present
    .map(
      ([name, value]) =>
        `${escapeControl(name)}:${' '.repeat(width - displayWidth(escapeControl(name)) + 2)}${escapeControl(value)}`,
    )
    .join('\n');
}

/** Number of terminal cells: two for CJK and emoji, none for combining marks. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    if (/^(\p{Mark}|\u200b|\u200c|\u200d|\ufe0f)$/u.test(character)) continue;
    width +=
      /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}$/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
