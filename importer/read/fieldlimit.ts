/** How many columns a file and how many fields an organization may have, so that one file has room for all (rules F9, C1). */
import type { Field } from '../../db/directory/fields.js';
import { userLabels } from './header.js';
import type { Limits } from './parse.js';

/** Of a users file; with the one that exports write for people to read. */
const standardColumns = Object.keys(userLabels).length + 1;

/** Fields that exports and templates have room for, beside the standard columns. */
export function mostFields({ maxColumns }: Pick<Limits, 'maxColumns'>): number {
  return Math.max(maxColumns - standardColumns, 0);
}

export function countShown(fields: readonly Pick<Field, 'hidden'>[]): number {
  return fields.filter(({ hidden }) => !hidden).length;
}

/** An organization may have had more fields before its files had this limit: its own export has room for them. */
export function widenLimits<T extends Limits>(limits: T, fields: readonly Field[]): T {
  return { ...limits, maxColumns: Math.max(limits.maxColumns, standardColumns + fields.length) };
}
