/** An organization's own limits, as an operator says them. */
import { settingsSchema } from '../config/settings.js';
import { type LimitName, limitNames, type OrgLimits } from '../db/control/orgs.js';
import { OperationError } from './error.js';
import { formatBytes } from './format.js';

/** null: the setting holds again. */
export type LimitChange = Partial<Record<LimitName, number | null>>;

const units: Record<string, number> = { '': 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, tib: 1024 ** 4 };

export function isLimitName(name: string): name is LimitName {
  return (limitNames as readonly string[]).includes(name);
}

/** Reads `20GiB`, `500`, or `default`, which is null. @throws OperationError `usage` */
export function readLimit(name: LimitName, text: string): number | null {
  if (text.trim() === 'default') return null;
  const value = readBytes(text);
  if (value !== null && settingsSchema.shape[name].safeParse(value).success) return value;
  const most = { maxFolderDepth: ' up to 32', maxNameBytes: ' up to 255' } as Partial<Record<LimitName, string>>;
  throw new OperationError(
    'usage',
    `${name} takes a number${most[name] ?? ''} (20000, 500MiB, 20GiB) or "default", not "${text}"`,
  );
}

/** `20GiB`, `500`. null: it is no whole number of bytes. */
export function readBytes(text: string): number | null {
  const [, digits, unit = ''] = /^(\d{1,15})([kmgt]ib)?$/i.exec(text.trim()) ?? [];
  const value = digits === undefined ? Number.NaN : Number(digits) * units[unit.toLowerCase()]!;
  return Number.isSafeInteger(value) ? value : null;
}

export function mergeLimits(before: OrgLimits, change: LimitChange): OrgLimits {
  const merged = Object.entries({ ...before, ...change }).filter(([, value]) => value !== null);
  return Object.fromEntries(merged);
}

/** null: the organization has none of its own. */
export function describeLimit(name: LimitName, value: number | undefined): string | null {
  if (value === undefined) return null;
  return name === 'maxStoredBytes' || name === 'maxFileBytes' ? formatBytes(value) : String(value);
}
