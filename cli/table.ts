/**
 * Tables for people: they fit the terminal, never cut a text, and are printed as they are in a pipe or with `--wide`. Columns that find no room
 * follow below their row.
 */
import { escapeControl } from '../operations/format.js';
import { paint, type Tint } from './color.js';
import { displayWidth, wrapText } from './width.js';

export interface Column<Row> {
  title: string;
  cell(row: Row): string;
  align?: 'right';
  /** It identifies the row: other columns give way before it does. */
  whole?: true;
  /**
   * Too narrow a terminal gets the beginning of each text, of at least so many characters and as many as tell the rows apart:
   * of fingerprints, whose beginning commands take.
   */
  shortensTo?: number;
  /** null: the colour of the terminal. */
  tint?(row: Row): Tint | null;
}

export interface TableRoom {
  /** Of the terminal in cells; null: no terminal. */
  width: number | null;
  hasColor: boolean;
}

/** Column widths are measured over this many rows; a wider cell of a later row is not aligned. */
const measuredRows = 500;
/** A column that gives way keeps the width of its longest word, if that is at most this, and at last this. */
const longestWord = 20;
const leastWidth = 8;
/** Text that wraps is readable from this width on. */
const readableWidth = 16;
/** The longest words of so many texts decide on the width of a column. */
const usualShare = 0.7;
/** In the place of a text that follows below. */
const isBelow = '↓';
const gap = '  ';
const indent = '    ';

/** Prints the rows as they come. Returns the number of rows. */
export async function printTable<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  columns: readonly Column<Row>[],
  { width, hasColor }: TableRoom,
  print: (text: string) => Promise<void>,
): Promise<number> {
  let count = 0;
  let waiting: string[][] = [];
  let tints: (Tint | null)[][] = [];
  const tintsOf = (row: Row) => columns.map((column) => (hasColor ? (column.tint?.(row) ?? null) : null));
  let form: TableForm | null = null;
  const flush = async () => {
    let head: string[] = [];
    if (form === null) {
      form = layOut(columns, waiting, width);
      head = renderRow(
        form.beside.map((index) => columns[index]!.title),
        form.columns,
      );
    }
    const lines = [...head, ...waiting.flatMap((cells, row) => renderCells(cells, tints[row]!, columns, form!))];
    [waiting, tints] = [[], []];
    await print(`${lines.join('\n')}\n`);
  };
  for await (const row of rows) {
    count++;
    waiting.push(columns.map((column) => escapeControl(column.cell(row))));
    tints.push(tintsOf(row));
    if (waiting.length >= measuredRows) await flush();
  }
  if (waiting.length > 0) await flush();
  return count;
}

interface TableForm {
  /** Columns beside one another, and those that follow below each row. */
  beside: number[];
  below: number[];
  /** Of those beside. */
  columns: ColumnForm[];
  width: number | null;
}

/** Columns move below until each of the others has room for its longest word. */
function layOut<Row>(columns: readonly Column<Row>[], cells: string[][], width: number | null): TableForm {
  const rooms = columns.map((column, index) =>
    roomOf(
      column,
      cells.map((row) => row[index]!),
    ),
  );
  const isEmpty = columns.map((_, index) => cells.every((row) => isBlank(row[index]!)));
  const beside = [...columns.keys()];
  const excess = () => beside.reduce((sum, index) => sum + rooms[index]!, gap.length * (beside.length - 1)) - width!;
  while (width !== null && excess() > 0) {
    const isWhole = (index: number) => columns[index]!.whole === true;
    const choices = [
      (index: number) => isEmpty[index],
      (index: number) => !isWhole(index) && rooms[index]! >= readableWidth,
      (index: number) => rooms[index]! > width / 2,
      (index: number) => !isWhole(index),
    ];
    const movable = choices.map((mayMove) => beside.slice(1).filter(mayMove)).find((found) => found.length > 0);
    if (movable === undefined) break;
    const widest = movable.reduce((best, each) => (rooms[each]! >= rooms[best]! ? each : best));
    beside.splice(beside.indexOf(widest), 1);
  }
  const pick = <T>(items: readonly T[]) => beside.map((index) => items[index]!);
  const below = [...columns.keys()].filter((index) => !beside.includes(index));
  return { beside, below, columns: fitColumns(pick(columns), cells.map(pick), width), width };
}

/** The width in which the texts of a column are readable. */
function roomOf<Row>({ title, shortensTo, align }: Column<Row>, texts: readonly string[]): number {
  const natural = Math.max(...texts.map(displayWidth), displayWidth(title));
  if (align === 'right') return natural;
  const least = shortensTo ?? Math.max(usualOf(texts.map(longestWordOf)), readableWidth);
  return Math.max(displayWidth(title), Math.min(natural, least));
}

function isBlank(text: string): boolean {
  return /^[–-]?$/.test(text);
}

/** A few that are longer do not count: each follows below its own row. */
function usualOf(widths: readonly number[]): number {
  const sorted = [...widths].sort((one, other) => one - other);
  return sorted[Math.floor((sorted.length - 1) * usualShare)] ?? 0;
}

/** An address, a path or an identifier is one word, and must not be broken; a long word in a sentence may. */
function longestWordOf(text: string): number {
  const words = text.split(' ');
  const longest = Math.max(...words.map(displayWidth));
  return words.length === 1 ? longest : Math.min(longest, longestWord);
}

function renderCells<Row>(
  cells: readonly string[],
  tints: readonly (Tint | null)[],
  columns: readonly Column<Row>[],
  { beside, below, columns: forms, width }: TableForm,
): string[] {
  const breaks = ({ wraps, shortTo, width: room }: ColumnForm, text: string) =>
    wraps && shortTo === null && longestWordOf(text) > room;
  const late = beside.slice(1).filter((index) => breaks(forms[beside.indexOf(index)]!, cells[index]!));
  const row = beside.map((index) => (late.includes(index) ? isBelow : cells[index]!));
  const more = [...late, ...below]
    .filter((index) => !isBlank(cells[index]!))
    .flatMap((index) => wrapText(`${columns[index]!.title}: ${cells[index]}`, width! - indent.length));
  const rowTints = beside.map((index) => tints[index]!);
  return [...renderRow(row, forms, rowTints), ...more.map((line) => indent + line)];
}

interface ColumnForm {
  width: number;
  align: 'left' | 'right';
  /** Only this many characters of each text are printed; null: all. */
  shortTo: number | null;
  /** Its texts take as many lines as they need. */
  wraps: boolean;
}

function fitColumns<Row>(columns: readonly Column<Row>[], cells: string[][], width: number | null): ColumnForm[] {
  const textsOf = (index: number) => cells.map((row) => row[index]!);
  const widest = (texts: string[], { title }: Column<Row>) => Math.max(...[title, ...texts].map(displayWidth));
  const forms = columns.map((column, index): ColumnForm => {
    const { align = 'left' } = column;
    return { width: widest(textsOf(index), column), align, shortTo: null, wraps: false };
  });
  if (width === null) return forms;
  const excess = () => forms.reduce((sum, form) => sum + form.width, gap.length * (forms.length - 1)) - width;
  for (const [index, column] of columns.entries()) {
    if (excess() <= 0) return forms;
    if (column.shortensTo === undefined) continue;
    const shortTo = distinguishingLength(textsOf(index), column.shortensTo);
    const short = textsOf(index).map((text) => text.slice(0, shortTo));
    Object.assign(forms[index]!, { shortTo, width: widest(short, column) });
  }
  const titleWidths = columns.map(({ title }) => displayWidth(title));
  const wordWidths = columns.map((_, index) =>
    Math.min(longestWord, Math.max(...textsOf(index).flatMap((text) => text.split(' ').map(displayWidth)), 0)),
  );
  const shrink = (mayShrink: (column: Column<Row>) => boolean, leastOf: (index: number) => number) => {
    const least = (index: number) => Math.max(leastOf(index), titleWidths[index]!);
    while (excess() > 0) {
      const shrinkable = [...forms.keys()].filter(
        (index) => mayShrink(columns[index]!) && forms[index]!.shortTo === null && forms[index]!.width > least(index),
      );
      if (shrinkable.length === 0) return;
      const index = shrinkable.reduce((best, each) => (forms[each]!.width > forms[best]!.width ? each : best));
      forms[index]!.width--;
      forms[index]!.wraps = true;
    }
  };
  // A size or a count is read at one look: it wraps last.
  shrink(
    ({ whole, align }) => whole !== true && align !== 'right',
    (index) => wordWidths[index]!,
  );
  shrink(
    ({ align }) => align !== 'right',
    (index) => wordWidths[index]!,
  );
  shrink(
    () => true,
    () => leastWidth,
  );
  return forms;
}

/** The shortest length, from `least` on, at which all different texts differ. */
function distinguishingLength(texts: readonly string[], least: number): number {
  const different = [...new Set(texts)];
  const longest = Math.max(least, ...different.map(({ length }) => length));
  for (let length = least; length < longest; length++)
    if (new Set(different.map((text) => text.slice(0, length))).size === different.length) return length;
  return longest;
}

function renderRow(
  cells: readonly string[],
  forms: readonly ColumnForm[],
  tints: readonly (Tint | null)[] = [],
): string[] {
  const pieces = cells.map((cell, index) => {
    const { wraps, width, shortTo } = forms[index]!;
    if (shortTo !== null) return [cell.slice(0, Math.max(shortTo, width))];
    return wraps && displayWidth(cell) > width ? wrapText(cell, width, true) : [cell];
  });
  const height = Math.max(...pieces.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) =>
    pieces
      .map((texts, index) => pad(texts[line] ?? '', forms[index]!, tints[index] ?? null))
      .join(gap)
      .trimEnd(),
  );
}

function pad(text: string, { width, align }: ColumnForm, tint: Tint | null): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? fill + paint(text, tint) : paint(text, tint) + fill;
}
