/** The first pass over a file: refuses what must be refused before anything is staged, and learns what its columns hold. */

import { RefusalError, refuse } from '../codes.js';
import { addressAt, cellAt } from './cells.js';
import { addFact, type DateFacts, noFacts, readDate } from './dates.js';
import { readCell } from './formula.js';
import { type Header, readHeader, type Wording } from './header.js';
import { isEmail } from './normalize.js';
import type { Limits, Row } from './parse.js';

/** What the values of one column have in common. */
export interface ColumnFacts {
  /** Values that are not blank. */
  values: number;
  areBooleans: boolean;
  /** All are written like dates of the calendar. */
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

const booleans = /^(yes|no|true|false)$/i;

/**
 * @param batches the header first.
 * @param onProgress told the rows read so far, now and then.
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
        survey.header = readHeader(row, limits, wording);
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

/** Whether the row has as many cells as the header; blank ones more at the end are no matter. */
export function fitsHeader(row: Row, header: Header): boolean {
  if (row.cells.length < header.named) return false;
  return (
    row.cells.length <= header.cells.length || row.cells.slice(header.cells.length).every((cell) => cell.trim() === '')
  );
}

/** A row that is rejected decides nothing: neither the order of dates nor the type of a field. */
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
    if (facts.areBooleans && !booleans.test(value)) facts.areBooleans = false;
    // Whatever else a column holds, its dates tell their order.
    const readings = readDate(value);
    if (readings === null || (readings.mdy === null && readings.dmy === null)) facts.areDates = false;
    else addFact(facts.dates, readings);
  }
}
