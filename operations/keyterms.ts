/** The terms of a login key as operators write them: its validity, source addresses, permission and label. */
import { DateTime } from 'luxon';
import { durationForms, readDuration } from '../config/units.js';
import type { LoginKey, LoginKeyChange, Permission } from '../db/control/keys.js';
import { parseSources } from '../keys/login/addresses.js';
import { readPermission } from '../keys/login/lineoptions.js';
import { splitAssignments } from './assignments.js';
import { OperationError } from './error.js';
import { formatTime } from './format.js';

/** The terms that `keys add` was given; undefined: the option was left out. */
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

/** The word with which `keys set` removes a term. */
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
    if (name === undefined)
      throw new OperationError('usage', `unknown key setting "${given}"; the settings are ${settable.join(', ')}`);
    change = {
      ...change,
      ...(unset[name]?.word === value ? unset[name].change : readTerms({ [name]: value }, timeZone, now)),
    };
  }
  return change;
}

/**
 * A date means the end of that day in the time zone, which is the organization's; a time means itself.
 * @param what expires: for the message
 * @throws OperationError `usage` when it is neither, or in the past.
 */
export function readExpiry(text: string, timeZone: string, now: number, what: 'key' | 'token' = 'key'): number {
  const given = readTime(text, timeZone);
  const end = text.length === 10 ? given.plus({ days: 1 }).startOf('day') : given;
  if (end.toMillis() <= now)
    throw new OperationError('usage', `${text} is in the past: the ${what} could never be used`);
  return end.toMillis();
}

/** A date means its beginning. @throws OperationError `usage` */
function readStart(text: string, timeZone: string): number {
  return readTime(text, timeZone).toMillis();
}

function readTime(text: string, timeZone: string): DateTime {
  const given = DateTime.fromISO(text, { zone: timeZone });
  if (!given.isValid || !/^\d{4}-\d{2}-\d{2}/.test(text))
    throw new OperationError('usage', `"${text}" is not a date; write it as 2027-12-31 or 2027-12-31T18:00`);
  return given;
}

/** CIDRs of `--from`; `any` is every address. @throws OperationError `usage` */
export function readSources(text: string): string[] {
  if (text.trim() === 'any') return [];
  const sources = asUsage(() => parseSources(text));
  if (sources.length === 0)
    throw new OperationError(
      'usage',
      'from must be addresses or address ranges separated by commas, or any; example: from=192.0.2.0/24,2001:db8::/32',
    );
  return sources;
}

/** The grace period of replaced keys in milliseconds: `7d`, `12h`, `30m`, `2w`, or `0`. @throws OperationError `usage` */
export function readGrace(text: string): number {
  const ms = text.trim() === '0' ? 0 : readDuration(text);
  if (ms !== null) return ms;
  throw new OperationError(
    'usage',
    `grace must be a duration such as ${durationForms('seconds')}, or 0, not "${text}"`,
  );
}

function readPrincipals(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === ''))
    throw new OperationError(
      'usage',
      'principals must be names separated by commas, or default; example: principals=acme,acme-hr',
    );
  return names;
}

function readSwitch(name: string, text: string): boolean {
  if (text !== 'on' && text !== 'off') throw new OperationError('usage', `${name} must be on or off, not "${text}"`);
  return text === 'on';
}

function readText(name: string, text: string): string {
  if (text.length > 500) throw new OperationError('usage', `${name} must have at most 500 characters`);
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

/** pending: the key is not valid yet. */
export function stateOfKey(key: Pick<LoginKey, 'revokedAt' | 'expiresAt' | 'notBefore'>, now: number): KeyState {
  if (key.revokedAt !== null) return 'revoked';
  if (key.expiresAt !== null && key.expiresAt <= now) return 'expired';
  return key.notBefore !== null && now < key.notBefore ? 'pending' : 'usable';
}

/** Sentences about usable keys that have been replaced: whether they are still used, and by whom. */
export function remarkKeys(keys: readonly LoginKey[], now: number): string[] {
  return keys.flatMap((key) => {
    if (key.replacedBy === null || stateOfKey(key, now) !== 'usable') return [];
    const isUsed = key.lastUsedAt !== null && key.lastUsedAt > (key.replacedAt ?? 0);
    const use = isUsed
      ? `is still used: last at ${formatTime(key.lastUsedAt)} from ${key.lastUsedFrom ?? 'nowhere'} by ${key.lastUsedClient || 'an unnamed client'}`
      : 'has not been used since';
    return [`${key.fingerprint} was replaced and ${use}; it expires at ${formatTime(key.expiresAt)}.`];
  });
}
