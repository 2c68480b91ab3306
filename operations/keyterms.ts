/** The terms of a login key as operators write them: until when, from where, for what. */
import { DateTime } from 'luxon';
import type { LoginKey, LoginKeyChange, Permission } from '../db/control/keys.js';
import { parseSources } from '../keys/login/addresses.js';
import { readPermission } from '../keys/login/lineoptions.js';
import { OperationError } from './error.js';
import { formatTime } from './format.js';
import { splitAssignments } from './orgsettings.js';

/** What the options of `keys add` say; undefined: nothing. */
export interface KeyTerms {
  label?: string;
  note?: string;
  notBefore?: number;
  expiresAt?: number;
  /** CIDRs as `parseSources` gives them; empty: every address. */
  sources?: string[];
  permission?: Permission;
  allowsSha1?: boolean;
  principals?: string[];
}

export interface KeyTermTexts {
  label?: string;
  note?: string;
  notBefore?: string;
  expires?: string;
  from?: string;
  permission?: string;
  sha1?: string;
  principals?: string;
}

/** @throws OperationError `usage` */
export function readTerms(texts: KeyTermTexts, timeZone: string, now: number): KeyTerms {
  const { label, note, notBefore, expires, from, permission, sha1, principals } = texts;
  return {
    ...(label !== undefined && { label: readText('label', label) }),
    ...(note !== undefined && { note: readText('note', note) }),
    ...(notBefore !== undefined && { notBefore: readStart(notBefore, timeZone) }),
    ...(expires !== undefined && { expiresAt: readExpiry(expires, timeZone, now) }),
    ...(from !== undefined && { sources: readSources(from) }),
    ...(permission !== undefined && { permission: asUsage(() => readPermission(permission)) }),
    ...(sha1 !== undefined && { allowsSha1: readSwitch('sha1', sha1) }),
    ...(principals !== undefined && { principals: readPrincipals(principals) }),
  };
}

/** What `keys set` may change, each with how its value is taken back. */
const unset: Readonly<Record<string, { word: string; change: LoginKeyChange }>> = {
  notBefore: { word: 'now', change: { notBefore: null } },
  expires: { word: 'never', change: { expiresAt: null } },
  from: { word: 'any', change: { sources: [] } },
  principals: { word: 'default', change: { principals: null } },
};
const settable = ['label', 'note', 'notBefore', 'expires', 'from', 'permission', 'sha1', 'principals'] as const;

/** Reads `key=value…`. @throws OperationError `usage` */
export function readKeyChange(assignments: readonly string[], timeZone: string, now: number): LoginKeyChange {
  let change: LoginKeyChange = {};
  for (const [given, value] of Object.entries(splitAssignments(assignments))) {
    const name = settable.find((one) => one.toLowerCase() === given.replaceAll('-', '').toLowerCase());
    if (name === undefined) throw new OperationError('usage', `a key has no "${given}"; it has ${settable.join(', ')}`);
    change = {
      ...change,
      ...(unset[name]?.word === value ? unset[name].change : readTerms({ [name]: value }, timeZone, now)),
    };
  }
  return change;
}

/**
 * A date means the end of that day in the organization's time zone; a time means itself.
 * @throws OperationError `usage` when it is neither, or past.
 */
export function readExpiry(text: string, timeZone: string, now: number): number {
  const given = readTime(text, timeZone);
  const end = text.length === 10 ? given.plus({ days: 1 }).startOf('day') : given;
  if (end.toMillis() <= now) throw new OperationError('usage', `${text} is past: the key could never be used`);
  return end.toMillis();
}

/** A date means its beginning. @throws OperationError `usage` */
function readStart(text: string, timeZone: string): number {
  return readTime(text, timeZone).toMillis();
}

function readTime(text: string, timeZone: string): DateTime {
  const given = DateTime.fromISO(text, { zone: timeZone });
  if (!given.isValid || !/^\d{4}-\d{2}-\d{2}/.test(text))
    throw new OperationError('usage', `"${text}" is no date; write it as 2027-12-31 or 2027-12-31T18:00`);
  return given;
}

/** CIDRs of `--from`; `any` is every address. @throws OperationError `usage` */
export function readSources(text: string): string[] {
  if (text.trim() === 'any') return [];
  const sources = asUsage(() => parseSources(text));
  if (sources.length === 0)
    throw new OperationError('usage', 'from takes address ranges with commas between them, or "any"');
  return sources;
}

const unitMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `7d`, `12h`, `30m`, `2w`, or `0`. @throws OperationError `usage` */
export function readGrace(text: string): number {
  const [, count, unit] = /^(\d{1,4})([mhdw])$/.exec(text.trim()) ?? [];
  if (text.trim() === '0') return 0;
  if (count === undefined) throw new OperationError('usage', `"${text}" is no time; write it as 7d, 12h, 30m, 2w or 0`);
  return Number(count) * unitMs[unit!]!;
}

function readPrincipals(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === ''))
    throw new OperationError('usage', 'principals takes names with commas between them');
  return names;
}

function readSwitch(name: string, text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new OperationError('usage', `${name} takes on or off`);
  return text === 'on';
}

function readText(name: string, text: string): string {
  if (text.length > 500) throw new OperationError('usage', `${name} takes up to 500 characters`);
  return text.trim();
}

function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new OperationError('usage', (cause as Error).message, { cause });
  }
}

export type KeyState = 'usable' | 'pending' | 'expired' | 'revoked';

/** pending: it is not valid yet. */
export function stateOfKey(key: Pick<LoginKey, 'revokedAt' | 'expiresAt' | 'notBefore'>, now: number): KeyState {
  if (key.revokedAt !== null) return 'revoked';
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired';
  return key.notBefore !== null && now < key.notBefore ? 'pending' : 'usable';
}

/** Sentences about keys that are on their way out, and who still uses them. */
export function remarkKeys(keys: readonly LoginKey[], now: number): string[] {
  return keys.flatMap((key) => {
    if (key.replacedBy === null || stateOfKey(key, now) !== 'usable') return [];
    const isUsed = key.lastUsedAt !== null && key.lastUsedAt > (key.replacedAt ?? 0);
    const use = isUsed
      ? `is still used: last at ${formatTime(key.lastUsedAt)} from ${key.lastUsedFrom ?? 'nowhere'} by ${key.lastUsedClient || 'an unnamed client'}`
      : 'was not used since';
    return [`${key.fingerprint} was replaced and ${use}; it expires at ${formatTime(key.expiresAt)}.`];
  });
}
