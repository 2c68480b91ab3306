/** Narrows terms: the terms of a key that several files state are the narrowest, and a broken file never widens any. */
import { isIP } from 'node:net';
import type { Permission } from '../../db/control/keys.js';
import { createAddressSet } from '../login/addresses.js';

export interface Terms {
  /** Empty: every address. */
  sources: string[];
  /** null: never. */
  expiresAt: number | null;
  /** Absent: the files state none. */
  permission?: Permission;
  /** Of an authority; null: the id of its organization. */
  principals?: string[] | null;
}

/** No client has this address: two files allow a key from different addresses only. */
export const noAddress = '0.0.0.0/32';

/** The terms that allow only what both allow, for a key of `org`. */
export function narrow(one: Terms, other: Terms, org: string): Terms {
  const permissions = [one.permission, other.permission].filter((permission) => permission !== undefined);
  const permission = permissions.includes('upload') ? 'upload' : permissions[0];
  const ends = [one.expiresAt, other.expiresAt].filter((end) => end !== null);
  const hasPrincipals = one.principals !== undefined || other.principals !== undefined;
  return {
    sources: narrowSources(one.sources, other.sources),
    expiresAt: ends.length === 0 ? null : Math.min(...ends),
    ...(permission !== undefined && { permission }),
    ...(hasPrincipals && { principals: narrowPrincipals(one.principals ?? null, other.principals ?? null, org) }),
  };
}

/** The ranges that lie in both lists. */
export function narrowSources(one: readonly string[], other: readonly string[]): string[] {
  if (one.length === 0 || other.length === 0) return [...new Set([...one, ...other])].sort();
  const common = one.flatMap((left) =>
    other.flatMap((right) => (contains(left, right) ? [right] : contains(right, left) ? [left] : [])),
  );
  return common.length === 0 ? [noAddress] : [...new Set(common)].sort();
}

function contains(outer: string, inner: string): boolean {
  const [outerAddress = '', outerPrefix] = outer.split('/');
  const [innerAddress = '', innerPrefix] = inner.split('/');
  if (isIP(outerAddress) !== isIP(innerAddress) || Number(outerPrefix) > Number(innerPrefix)) return false;
  return createAddressSet([outer]).has(innerAddress);
}

function narrowPrincipals(one: string[] | null, other: string[] | null, org: string): string[] | null {
  if (one === null && other === null) return null;
  return (one ?? [org]).filter((name) => (other ?? [org]).includes(name));
}
