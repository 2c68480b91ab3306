/** Surveys the columns of a file in its first pass: which values each has, and whether the header or the size is refused. */
import { RefusalError, refuse } from '../codes.js';
import { addressAt, cellAt } from './cell.js';
import { addFact, type DateFacts, isPlainDate, noFacts, readDate } from './dates.js';
import { readBoolean } from './fieldvalues.js';
import { readCell } from './formula.js';
import { type Header, readHeader } from './header.js';
import type { Wording } from './labels.js';
import { isEmail } from './normalize.js';
import type { Limits, Row } from './parse.js';

/** Facts about the values of one column. */
export interface ColumnFacts {
  /** Values that are not blank. */
  values: number;
  areBooleans: boolean;
  /** All are dates that the calendar has, and nothing more. */
  areDates: boolean;
  dates: DateFacts;
}

export interface Survey {
  /** null: the file has no line at all. */
  header: Header | null;
  /** By column index. */
  facts: ColumnFacts[];
  rows: number;
}

/**
 * @param batches the header first.
 * @param onProgress is called with the number of rows read so far.
 * @throws RefusalError
 */
export async function surveyRows(
  batches: AsyncIterable<Row[]>,
  limits: Limits,
  wording: Wording,
  onProgress: (rows: number) => void,
): Promise<Survey> {
  const survey: Survey = { header: null, facts: [], rows: 0 };
  for await (const batch of batches) {
    for (const row of batch) {
      if (survey.header === null) {
        survey.header = readHeader(row, limits, wording, batch.slice(1, 21));
        survey.facts = survey.header.columns.map(() => ({
          values: 0,
          areBooleans: true,
          areDates: true,
          dates: noFacts(),
        }));
      } else {
        survey.rows++;
        addRow(survey, row);
      }
    }
    if (survey.rows > limits.maxRows) throw new RefusalError(refuse('too_many_rows', { limit: limits.maxRows }));
    onProgress(survey.rows);
  }
  return survey;
}

/** Whether the row has sound quotes, and as many cells as the header; more blank ones at the end are allowed. */
export function fitsHeader(row: Row, header: Header): boolean {
  if (row.faulty !== undefined) return false;
  if (row.cells.length < header.named) return false;
  return (
    row.cells.length <= header.cells.length || row.cells.slice(header.cells.length).every((cell) => cell.trim() === '')
  );
}

/** Whether the row names its user or team; a row that does not is rejected, and decides neither an order of dates nor a type. */
function hasKey(row: Row, { type, key }: Header): boolean {
  return type === 'users' ? isEmail(addressAt(row, key) ?? '') : cellAt(row, key) !== null;
}

function addRow(survey: Survey, row: Row): void {
  if (!fitsHeader(row, survey.header!) || !hasKey(row, survey.header!)) return;
  for (const { index, meaning } of survey.header!.columns) {
    if (meaning.kind === 'ignored') continue;
    const facts = survey.facts[index]!;
    const value = readCell(row.cells[index] ?? '');
    if (value === '') continue;
    facts.values++;
    const isStandard = meaning.kind === 'standard';
    if (isStandard && meaning.column !== 'deactivationDate') continue;
    if (facts.areBooleans && readBoolean(value) === null) facts.areBooleans = false;
    // The dates of a column decide their order, also where other values make it a text.
    const readings = readDate(value);
    if (readings !== null) addFact(facts.dates, readings);
    if (facts.areDates && !isPlainDate(value)) facts.areDates = false;
  }
}
