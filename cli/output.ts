/** The output of commands: texts and tables for people, or JSON for programs. */
import { once } from 'node:events';
import type { WriteStream } from 'node:tty';
import type { OnAdvance } from '../operations/advance.js';
import { escapeControl, escapeJson, escapeText, withSchema } from '../operations/format.js';
import { paintLines, type TerminalForm, type Tints, takesColor } from './color.js';
import { ProgressLine } from './progress.js';
import { type Column, printTable } from './table.js';
import { displayWidth, wrapText } from './width.js';

export interface ListView<Row> {
  columns: Column<Row>[];
  /** For people, when there are no rows. */
  empty: string;
  toJson(row: Row): unknown;
}

export interface Output {
  readonly json: boolean;
  /** One result: its text for people, its value for programs. @param tints colours of the beginnings of lines */
  show(value: unknown, text: string, tints?: Tints): Promise<void>;
  /** Many results, streamed: a table, or one JSON array. @param inside whether the array is a member of a value that has the version. */
  list<Row>(rows: Iterable<Row> | AsyncIterable<Row>, view: ListView<Row>, inside?: boolean): Promise<void>;
  /** Raw content: a stored file, CSV. */
  write(bytes: string | Uint8Array): Promise<void>;
  /** A remark beside the result, on standard error; not printed with --json. */
  note(text: string, tints?: Tints): void;
  /** Progress of long work, and remarks about it; not printed with --json. */
  progress: OnAdvance;
  /** Erases the progress: before the program asks, and when the work has ended. */
  endProgress(): void;
}

export interface OutputForm {
  /** JSON for programs. */
  json: boolean;
  /** Tables as wide as their texts, on a terminal too. */
  wide?: boolean;
  /** Absent: neither colours nor lines that are written over. */
  terminal?: TerminalForm | undefined;
  /** The clock of the progress, in ms. */
  now?: () => number;
}

const plain: TerminalForm = { mayColor: false, mayRewrite: false };

export function createOutput(
  { json, wide = false, terminal = plain, now }: OutputForm,
  stdout: WriteStream,
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number },
): Output {
  const print = (text: string | Uint8Array) => writeText(stdout, text);
  const colored = (stream: NodeJS.WritableStream, text: string, tints: Tints) =>
    takesColor(stream, terminal) ? paintLines(text, tints) : text;
  const columns = () => (stderr.isTTY === true && terminal.mayRewrite ? (stderr.columns ?? 80) : null);
  const line = new ProgressLine((text) => stderr.write(text), { columns, ...(now && { now }) });
  const note = (text: string, tints: Tints = {}) => {
    if (json) return;
    line.erase();
    stderr.write(`${colored(stderr, escapeText(text), tints)}\n`);
  };
  const form = () => ({ width: stdout.isTTY && !wide ? stdout.columns : null, hasColor: takesColor(stdout, terminal) });
  /** Content is written to the terminal, which has no room for progress between its lines. */
  let isBusy = false;
  return {
    json,
    note,
    progress: (news) => {
      if (typeof news === 'string') note(news);
      else if (!json && !isBusy) line.tell(news);
    },
    endProgress: () => line.end(),
    show: (value, text, tints = {}) => {
      line.end();
      if (json) return print(`${escapeJson(JSON.stringify(withVersion(value), null, 2))}\n`);
      return print(`${colored(stdout, wrapRecords(escapeText(text), form().width), tints)}\n`);
    },
    write: (bytes) => {
      isBusy ||= stdout.isTTY;
      if (isBusy) line.end();
      return print(bytes);
    },
    list: async (rows, view, inside = false) => {
      line.end();
      if (json) return printJson(rows, (row) => (inside ? view.toJson(row) : withVersion(view.toJson(row))), print);
      if ((await printTable(rows, view.columns, form(), print)) === 0) note(view.empty);
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
    await print(`${separator}${escapeJson(JSON.stringify(toJson(row)))}`);
    separator = ',\n  ';
  }
  await print(separator.startsWith('[') ? '[]\n' : '\n]\n');
}

/** Values of records take several lines on a narrow terminal. A line with a key or another long word is left whole: it may be copied. */
export function wrapRecords(text: string, width: number | null): string {
  if (width === null) return text;
  return text
    .split('\n')
    .map((line) => {
      const [name] = /^[^\s:][^:]{0,40}: {2,}/.exec(line) ?? [''];
      const room = width - name.length;
      const value = line.slice(name.length);
      const isLong = name !== '' && displayWidth(line) > width;
      if (!isLong || value.split(' ').some((word) => displayWidth(word) > room)) return line;
      return name + wrapText(value, room).join(`\n${' '.repeat(name.length)}`);
    })
    .join('\n');
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
