/** Surveys the columns of a file in its first pass: which values each has, and whether the header or the size is refused. */
import { describe, RefusalError, refuse } from '../codes.js';
import { addressAt, cellAt } from './cell.js';
import { addFact, type DateFacts, isEarly, isPlainDate, noFacts, readDate } from './dates.js';
import { readBoolean } from './fieldvalues.js';
import { type Header, mergeTwins, readHeader } from './header.js';
import type { Wording } from './labels.js';
import { isEmail } from './normalize.js';
import { isNull } from './nullwords.js';
import { ownText } from './owntext.js';
import type { Limits, Row } from './parse.js';
import type { ValueRules } from './valuerules.js';

/** Facts about the values of one column. */
export interface ColumnFacts {
  /** Values that are neither blank nor null words. */
  values: number;
  booleans: Fit;
  /** Dates that the calendar has, and nothing more. */
  plainDates: Fit;
  /** Whether a null word is among the cells. */
  hasNulls: boolean;
  dates: DateFacts;
}

/** How well a type fits the values of a column. */
export interface Fit {
  count: number;
  misfits: number;
  /** The first one. */
  misfit: { line: number; value: string } | null;
}

export interface Survey {
  /** null: the file has no line at all. */
  header: Header | null;
  /** By column index. */
  facts: ColumnFacts[];
  rows: number;
}

/** A column with this many more misfits than fits is of another type: the rest of its values is not looked at. */
const mostMisfits = 100;

/**
 * @param batches the header first.
 * @param onProgress is called with the number of rows read so far.
 * @throws RefusalError
 */
export async function surveyRows(
  batches: AsyncIterable<Row[]>,
  limits: Limits,
  wording: Wording,
  rules: ValueRules,
  onProgress: (rows: number) => void,
): Promise<Survey> {
  const survey = beginSurvey();
  for await (const batch of batches) {
    surveyBatch(survey, batch, limits, wording, rules);
    onProgress(survey.rows);
  }
  return survey;
}

/** Of no row. */
export function beginSurvey(): Survey {
  return { header: null, facts: [], rows: 0 };
}

/** Adds the next rows. @throws RefusalError */
export function surveyBatch(
  survey: Survey,
  batch: readonly Row[],
  limits: Limits,
  wording: Wording,
  rules: ValueRules,
): void {
  for (const row of batch) {
    if (survey.header === null) {
      survey.header = readHeader(row, limits, wording, batch.slice(1, 21));
      survey.facts = survey.header.columns.map(() => ({
        values: 0,
        booleans: { count: 0, misfits: 0, misfit: null },
        plainDates: { count: 0, misfits: 0, misfit: null },
        hasNulls: false,
        dates: noFacts(),
      }));
    } else {
      survey.rows++;
      addRow(survey, row, rules);
    }
  }
  if (survey.rows > limits.maxRows) throw new RefusalError(refuse('too_many_rows', { limit: limits.maxRows }));
}

/** Whether the row has sound quotes, and as many cells as the header; more blank ones at the end are allowed. */
export function fitsHeader(row: Row, header: Header): boolean {
  if (row.faulty !== undefined || row.problem !== undefined) return false;
  if (row.cells.length < header.named) return false;
  if (header.own < header.cells.length && findCount(row.cells, header.own) !== null) return false;
  return (
    row.cells.length <= header.cells.length || row.cells.slice(header.cells.length).every((cell) => cell.trim() === '')
  );
}

/** How many cells a row has, of those that its own columns should have. */
export function countCells({ cells }: Row, { own, cells: labels }: Header): number {
  const isRejected = own < labels.length;
  return (
    (isRejected ? findCount(cells, own) : null) ?? (isRejected && cells.length > own ? cells.length - 2 : cells.length)
  );
}

const countFault = new RegExp(describe('cell_count', { expected: '\\d+', count: '(\\d+)' }));

/**
 * The number of its cells for which a row was rejected, if it comes back as it was; null: it does not. The file of rejected rows fills a
 * short row with blank cells, and a spreadsheet fills all rows.
 */
function findCount(cells: readonly string[], own: number): number | null {
  const at = cells.findIndex((cell, index) => index >= own && countFault.test(cell));
  if (at < 0) return null;
  const count = Number(countFault.exec(cells[at]!)![1]);
  const isSame =
    count > own ? at === count : count < own && cells.slice(count, own).every((cell) => cell.trim() === '');
  return isSame ? count : null;
}

/** Whether the row names its user or team; a row that does not is rejected, and decides neither an order of dates nor a type. */
function hasKey(row: Row, { type, key }: Header): boolean {
  return type === 'users' ? isEmail(addressAt(row, key) ?? '') : cellAt(row, key) !== null;
}

function addRow(survey: Survey, sent: Row, rules: ValueRules): void {
  if (!fitsHeader(sent, survey.header!)) return;
  const row = mergeTwins(sent, survey.header!);
  if (!hasKey(row, survey.header!)) return;
  for (const { index, meaning } of survey.header!.columns) {
    if (meaning.kind === 'ignored' || meaning.kind === 'status') continue;
    const isStandard = meaning.kind === 'standard';
    if (isStandard && meaning.column !== 'deactivationDate') continue;
    const facts = survey.facts[index]!;
    const value = cellAt(row, index);
    if (value === null) continue;
    if (isNull(value, rules)) {
      facts.hasNulls = true;
      continue;
    }
    if (isStandard && isEarly(value)) continue;
    facts.values++;
    if (isOpen(facts.booleans)) addFit(facts.booleans, row.line, value, readBoolean(value) !== null);
    // The dates of a column decide their order, also where other values make it a text.
    const readings = readDate(value);
    if (readings !== null) addFact(facts.dates, readings);
    if (isOpen(facts.plainDates)) addFit(facts.plainDates, row.line, value, isPlainDate(value, readings));
  }
}

/** Whether the values of a column may still be of the type: it is found out for no others. */
function isOpen({ count, misfits }: Fit): boolean {
  return misfits <= count + mostMisfits;
}

function addFit(fit: Fit, line: number, value: string, fits: boolean): void {
  if (fits) fit.count++;
  else {
    fit.misfits++;
    fit.misfit ??= { line, value: ownText(value) };
  }
}
