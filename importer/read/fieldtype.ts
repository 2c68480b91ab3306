/** Infers the type of a new custom field from the values of its column (rule C1). */
import type { DateFormat } from '../../db/control/orgs.js';
import type { FieldType } from '../../db/directory/fields.js';
import type { ColumnFacts, Fit } from './columnsurvey.js';

/** From the values that are not blank. Digits alone stay text: leading zeros count. */
export function inferType(facts: ColumnFacts, format: DateFormat): FieldType {
  if (fitsAll(facts.booleans)) return 'boolean';
  if (!fitsAll(facts.plainDates)) return 'text';
  const { onlyMdy, onlyDmy, eitherWay } = facts.dates;
  const isSettled =
    (format === 'mdy' && !onlyDmy) ||
    (format === 'dmy' && !onlyMdy) ||
    (format === 'auto' && !(onlyMdy && onlyDmy) && (onlyMdy || onlyDmy || !eitherWay));
  return isSettled ? 'date' : 'text';
}

/** Whether the column has values of a type, and no other. */
export function fitsAll({ count, misfits }: Fit): boolean {
  return count > 0 && misfits === 0;
}

/** The first value that makes a text of a column in which most values are of another type; null: there is none. */
export function findOutlier({ booleans, plainDates }: ColumnFacts) {
  const kinds = [
    { kind: 'dates', ...plainDates },
    { kind: 'Yes or No', ...booleans },
  ];
  const found = kinds.find(({ count, misfits }) => misfits > 0 && count > misfits);
  if (found?.misfit == null) return null;
  const { kind, misfit, misfits } = found;
  return { kind, misfit, more: misfits === 1 ? '' : ` and ${misfits - 1} more` };
}
