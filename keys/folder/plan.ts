/** Compares the folder of login keys with the database, and lists the keys to add, change and revoke, and the problems. */
import type { Queryable } from '../../db/connection.js';
import { type LoginKey, type LoginKeyChange, listLoginKeys, listManagedKeys } from '../../db/control/keys.js';
import { listOrgs } from '../../db/control/orgs.js';
import type { FolderKey, FolderProblem, FolderReading } from './read.js';

export type FolderAction =
  | { action: 'add'; org: string; key: FolderKey; before: LoginKey | null }
  | { action: 'change'; org: string; fingerprint: string; file: string; change: LoginKeyChange }
  | { action: 'revoke'; org: string; fingerprint: string; file: string };

export function nameOf(org: string, fingerprint: string): string {
  return `${org} ${fingerprint}`;
}

/** Names of keys that this node found in its folder before; null: it has not read the folder yet. */
export type SeenKeys = ReadonlySet<string> | null;

export interface FolderPlan {
  actions: FolderAction[];
  problems: FolderProblem[];
  /** Names of keys that are kept only because their file can't be used now. */
  kept: string[];
}

/**
 * Keys that a command added are never changed. Nodes get their files at different moments: a node acts on files that
 * appeared or vanished since its last reading (`seen`), and on all of them at its first.
 */
export async function planFolder(db: Queryable, reading: FolderReading, seen: SeenKeys): Promise<FolderPlan> {
  const plan: FolderPlan = { actions: [], problems: [...reading.problems], kept: [] };
  const managed = (await listManagedKeys(db)).filter((key) => key.revokedAt === null);
  if (reading.state !== 'read') {
    // A volume that is not mounted looks like this, and must not lock every organization out.
    if (managed.length > 0 && reading.state !== 'unreadable')
      plan.problems.push({
        file: '',
        message: `is ${reading.state}: the ${managed.length} keys that came from it are kept`,
      });
    return plan;
  }
  const orgs = new Set((await listOrgs(db)).map((org) => org.id));
  for (const org of reading.orgs.keys()) {
    if (orgs.has(org)) await planOrg(db, org, reading, seen, plan);
    else plan.problems.push({ file: org, message: `there is no organization "${org}": its keys are not used` });
  }
  for (const key of managed) if (!reading.orgs.has(key.org)) planRevocation(key, seen, plan);
  return plan;
}

async function planOrg(
  db: Queryable,
  org: string,
  { orgs }: FolderReading,
  seen: SeenKeys,
  plan: FolderPlan,
): Promise<void> {
  const { keys, broken, isUnreadable } = orgs.get(org)!;
  const rows = new Map((await listLoginKeys(db, org)).map((row) => [row.fingerprint, row]));
  for (const key of keys) planKey(org, key, rows.get(key.fingerprint) ?? null, seen, plan);
  const wanted = new Set(keys.map((key) => key.fingerprint));
  for (const row of rows.values()) {
    const isOurs = row.managedBy !== null && row.revokedAt === null && !wanted.has(row.fingerprint);
    if (!isOurs) continue;
    if (isUnreadable || broken.has(row.managedBy!)) plan.kept.push(nameOf(org, row.fingerprint));
    else planRevocation(row, seen, plan);
  }
}

function planKey(org: string, key: FolderKey, row: LoginKey | null, seen: SeenKeys, plan: FolderPlan): void {
  const { fingerprint, file } = key;
  if (row === null) {
    plan.actions.push({ action: 'add', org, key, before: row });
  } else if (row.revokedAt !== null && row.revokedBy !== 'folder') {
    plan.problems.push({
      file,
      message: `the key ${fingerprint} was revoked by a command, and remains revoked: remove it from this file`,
    });
  } else if (row.revokedAt !== null) {
    if (!seen?.has(nameOf(org, fingerprint))) plan.actions.push({ action: 'add', org, key, before: row });
  } else if (row.managedBy !== null) {
    const change = compareTerms(key, row);
    if (row.kind !== kindOf(key))
      plan.actions.push({ action: 'revoke', org, fingerprint, file }, { action: 'add', org, key, before: row });
    else if (change !== null) plan.actions.push({ action: 'change', org, fingerprint, file, change });
  }
}

function planRevocation({ org, fingerprint, managedBy }: LoginKey, seen: SeenKeys, plan: FolderPlan): void {
  if (seen !== null && !seen.has(nameOf(org, fingerprint))) return;
  plan.actions.push({ action: 'revoke', org, fingerprint, file: managedBy! });
}

export function kindOf(key: FolderKey): 'key' | 'ca' {
  return key.terms.isAuthority ? 'ca' : 'key';
}

/** The terms of a key in its file; a permission that the file does not state is kept as a command set it. */
export function termsOf({ comment, file, terms }: FolderKey) {
  const { sources, expiresAt, permission, isAuthority, principals } = terms;
  return {
    label: comment,
    managedBy: file,
    sources: sources ?? [],
    expiresAt,
    ...(permission !== null && { permission }),
    ...(isAuthority && { principals }),
  };
}

/** The terms that a command set for an earlier row of this key, and that its file does not state. */
export function keptTermsOf({ note, notBefore, permission, kind, allowsSha1 }: LoginKey, now: 'key' | 'ca') {
  return { note, notBefore, permission, allowsSha1: allowsSha1 && kind === now };
}

/** null: the row agrees with the file. A key that is being rotated out keeps the end that was set for it. */
function compareTerms(key: FolderKey, row: LoginKey): LoginKeyChange | null {
  const { expiresAt, ...wanted } = termsOf(key);
  const all = row.replacedAt === null ? { ...wanted, expiresAt } : wanted;
  const differs = Object.entries(all).filter(
    ([name, value]) => JSON.stringify(row[name as keyof LoginKey]) !== JSON.stringify(value),
  );
  return differs.length === 0 ? null : Object.fromEntries(differs);
}
