/** Values of a custom field under another type: what they become, and which do not fit (rule C3). */
import type { DateFormat } from '../../db/control/orgs.js';
import type { FieldType } from '../../db/directory/fields.js';
import { addFact, type DateOrder, decideOrder, noFacts, readDate, resolveDate } from './dates.js';

/** Tells the order of dates from all values of a field, as from a column of a file (rule U14). */
export function createOrderTeller(format: DateFormat): { see(value: string): void; tell(): DateOrder } {
  const facts = noFacts();
  return {
    see: (value) => {
      const readings = readDate(value);
      if (readings !== null) addFact(facts, readings);
    },
    tell: () => decideOrder(format, facts),
  };
}

/** The value as the type keeps it; null: it does not fit. */
export function convertValue(value: string, type: FieldType, order: DateOrder): string | null {
  if (type === 'text') return value;
  if (type === 'boolean') {
    if (/^(yes|true)$/i.test(value)) return 'Yes';
    return /^(no|false)$/i.test(value) ? 'No' : null;
  }
  const resolved = resolveDate(value, order);
  return 'iso' in resolved ? resolved.iso : null;
}
