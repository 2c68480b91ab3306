/** Values of a custom field: their form as the field's type stores them, and the order of their dates (rules C1, C3, U14). */
import type { DateFormat } from '../../db/control/orgs.js';
import type { FieldType } from '../../db/directory/fields.js';
import { addFact, type DateOrder, type DateProblem, decideOrder, noFacts, readDate, resolveDate } from './dates.js';

/** Why a value does not fit the type of its field. */
export interface Unfit {
  problem: 'field_mismatch' | Exclude<DateProblem, 'date_invalid'>;
}

/** The value as the type stores it. @param order of the dates in the value's column. */
export function convertValue(value: string, type: FieldType, order: DateOrder): string | Unfit {
  if (type === 'text') return value;
  if (type === 'boolean') return readAnswer(value) ?? { problem: 'field_mismatch' };
  const resolved = resolveDate(value, order);
  if ('iso' in resolved) return resolved.iso;
  return { problem: resolved.problem === 'date_invalid' ? 'field_mismatch' : resolved.problem };
}

/** Answers that are read where a Yes or No is expected, beside those that make a new field one of Yes or No. */
const answers: ReadonlyMap<string, 'Yes' | 'No'> = new Map([
  ['y', 'Yes'],
  ['1', 'Yes'],
  ['n', 'No'],
  ['0', 'No'],
]);

/** A Yes or No in any form that systems write (rule U10); null: it is neither. */
export function readAnswer(value: string): 'Yes' | 'No' | null {
  return readBoolean(value) ?? answers.get(value.toLowerCase()) ?? null;
}

/** As readAnswer, in the forms that decide the type of a new field (rule C1): Y and 1 may be other things. */
export function readBoolean(value: string): 'Yes' | 'No' | null {
  if (/^(yes|true)$/i.test(value)) return 'Yes';
  return /^(no|false)$/i.test(value) ? 'No' : null;
}

/** Decides the order of dates by all values of a field, as by those of a file's column (rule U14). */
export function createOrderDecider(format: DateFormat): { add(value: string): void; decide(): DateOrder } {
  const facts = noFacts();
  return {
    add: (value) => {
      const readings = readDate(value);
      if (readings !== null) addFact(facts, readings);
    },
    decide: () => decideOrder(format, facts),
  };
}
