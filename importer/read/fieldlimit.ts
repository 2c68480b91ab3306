/** Limits of columns in a file and of fields in an organization: one file can always hold all fields (rules F9, C1). */
import type { Field } from '../../db/directory/fields.js';
import { userLabels } from './labels.js';
import type { Limits } from './parse.js';

/** Standard columns of a users file, and `Status`. */
const standardColumns = Object.keys(userLabels).length + 1;

/** The most fields of an organization: as many as fit into a file beside the standard columns. */
export function mostFields({ maxColumns }: Pick<Limits, 'maxColumns'>): number {
  return Math.max(maxColumns - standardColumns, 0);
}

/** Fields that are not hidden. */
export function countShown(fields: readonly Pick<Field, 'hidden'>[]): number {
  return fields.filter(({ hidden }) => !hidden).length;
}

/** Raises the limit of columns for an organization that has more fields already, so that it can import its own export. */
export function widenLimits<T extends Limits>(limits: T, fields: readonly Field[]): T {
  return { ...limits, maxColumns: Math.max(limits.maxColumns, standardColumns + fields.length) };
}
