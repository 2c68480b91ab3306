/**
 * Plans the columns of a file while its rows are read, so that rows are staged in the same reading that surveys them: a column gets its
 * type from the rows so far. It says when a later row gives earlier ones another meaning.
 */
import type { ColumnPlan } from './columns.js';
import { beginSurvey, type ColumnFacts, type Survey, surveyBatch } from './columnsurvey.js';
import { fitsAll } from './fieldtype.js';
import { columnsOf, type ReadInput } from './firstpass.js';
import { wordingOf } from './labels.js';
import type { Limits, Row } from './parse.js';
import { valueRulesOf } from './valuerules.js';

/** What the facts of a column say, as bits. */
const [hasValues, hasNulls, areBooleans, areDates, isMdy, isDmy, isEither] = [1, 2, 4, 8, 16, 32, 64] as const;

export class GrowingColumns {
  readonly survey: Survey = beginSurvey();
  /** Of the rows so far; null: there is none. */
  columns: ColumnPlan | null = null;
  readonly #input: ReadInput;
  readonly #limits: Limits;
  readonly #wording: ReturnType<typeof wordingOf>;
  readonly #rules: ReturnType<typeof valueRulesOf>;
  /** By column index, the facts by which `columns` was planned. */
  #states: Uint8Array = new Uint8Array();

  /** The organization must have no clear token, which is no value in the survey and one in a row. */
  constructor(input: ReadInput, limits: Limits) {
    this.#input = input;
    this.#limits = limits;
    this.#wording = wordingOf(input.org, input.fields);
    this.#rules = valueRulesOf(input.org.options);
  }

  /**
   * Surveys the next rows, and plans the columns for them.
   * @returns false: the rows before have to be read again, with the columns of the whole file.
   * @throws RefusalError
   */
  add(batch: readonly Row[]): boolean {
    surveyBatch(this.survey, batch, this.#limits, this.#wording, this.#rules);
    const { facts, rows } = this.survey;
    if (rows === 0) return true;
    const states = Uint8Array.from(facts, stateOf);
    const isSame = this.columns !== null && states.every((state, index) => state === this.#states[index]);
    return isSame || this.#plan(states);
  }

  /** Plans the columns with all their warnings, once all rows were added. @returns as `add` */
  end(): boolean {
    return this.survey.rows === 0 || this.#plan(Uint8Array.from(this.survey.facts, stateOf));
  }

  #plan(states: Uint8Array): boolean {
    const planned = columnsOf(this.#input, this.survey, this.survey.header!);
    const isSame = this.columns === null || keepMeaning(this.columns, planned, this.#states);
    this.columns = planned;
    this.#states = states;
    return isSame;
  }
}

function stateOf({ values, hasNulls: nulls, booleans, plainDates, dates }: ColumnFacts): number {
  return (
    (values > 0 ? hasValues : 0) |
    (nulls ? hasNulls : 0) |
    (fitsAll(booleans) ? areBooleans : 0) |
    (fitsAll(plainDates) ? areDates : 0) |
    (dates.onlyMdy ? isMdy : 0) |
    (dates.onlyDmy ? isDmy : 0) |
    (dates.eitherWay ? isEither : 0)
  );
}

/**
 * Whether the rows that were read with `before` have the same values with `after`, whose new fields get the ids that they have there.
 * All else in a plan comes from the header. @param states of the columns, of these rows.
 */
function keepMeaning(before: ColumnPlan, after: ColumnPlan, states: Uint8Array): boolean {
  // A date that both orders read alike does not depend on them.
  const hasOrder = (index: number | undefined) =>
    index !== undefined && (states[index]! & (isMdy | isDmy | isEither)) !== 0;
  const keepsOrder = before.deactivationOrder === after.deactivationOrder;
  if (!keepsOrder && hasOrder(after.standard.get('deactivationDate'))) return false;
  const placed = new Map(before.fields.map((column) => [column.index, column]));
  for (const { index, field, order } of after.fields) {
    const known = placed.get(index);
    placed.delete(index);
    if (known === undefined) {
      if (states[index] !== 0) return false;
      continue;
    }
    if (known.field.type !== field.type || (known.order !== order && hasOrder(index))) return false;
    if (after.newFields.includes(field)) field.id = known.field.id;
  }
  // A field may have lost its place to one that a column further left creates.
  return placed.size === 0;
}
