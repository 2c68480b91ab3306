/** Tables for people: they fit the terminal, never cut a text, and are printed as they are in a pipe or with `--wide`. */
import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';
import { escapeControl } from '../operations/format.js';

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
}

/** Column widths are measured over this many rows; a wider cell of a later row is not aligned. */
const measuredRows = 500;
/** A column that gives way keeps the width of its longest word, if that is at most this, and at last this. */
const longestWord = 20;
const leastWidth = 8;
const gap = '  ';

/** Prints the rows as they come. @param width of the terminal in cells; null: no terminal. Returns the number of rows. */
export async function printTable<Row>(
  rows: Iterable<Row> | AsyncIterable<Row>,
  columns: readonly Column<Row>[],
  width: number | null,
  print: (text: string) => Promise<void>,
): Promise<number> {
  let count = 0;
  let waiting: string[][] = [];
  let form: ColumnForm[] | null = null;
  const flush = async () => {
    if (form === null) {
      form = fitColumns(columns, waiting, width);
      waiting.unshift(columns.map(({ title }) => title));
    }
    const lines = waiting.flatMap((cells) => renderRow(cells, form!));
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

/** Number of terminal cells: two for CJK and emoji, none for combining marks. */
export const displayWidth: (text: string) => number = stringWidth;

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
  shrink(
    ({ whole }) => whole !== true,
    (index) => wordWidths[index]!,
  );
  shrink(
    () => true,
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

function renderRow(cells: readonly string[], forms: readonly ColumnForm[]): string[] {
  const pieces = cells.map((cell, index) => {
    const { wraps, width, shortTo } = forms[index]!;
    if (shortTo !== null) return [cell.slice(0, Math.max(shortTo, width))];
    return wraps && displayWidth(cell) > width ? wrapAnsi(cell, width, { hard: true }).split('\n') : [cell];
  });
  const height = Math.max(...pieces.map(({ length }) => length));
  return Array.from({ length: height }, (_, line) =>
    pieces
      .map((texts, index) => pad(texts[line] ?? '', forms[index]!))
      .join(gap)
      .trimEnd(),
  );
}

function pad(text: string, { width, align }: ColumnForm): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? fill + text : text + fill;
}
