/** Compares the folder of login keys with the database, and lists the keys to add, change and revoke, and the problems. */
import type { Queryable } from '../../db/connection.js';
import { type LoginKey, type LoginKeyChange, listLoginKeys, listManagedKeys } from '../../db/control/keys.js';
import { listOrgs } from '../../db/control/orgs.js';
import { narrow } from './narrow.js';
import { type FolderKey, type FolderProblem, type FolderReading, type OrgFolder, statedTerms } from './read.js';

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
  const folder = orgs.get(org)!;
  const rows = new Map((await listLoginKeys(db, org)).map((row) => [row.fingerprint, row]));
  for (const key of folder.keys) planKey(org, folder, key, rows.get(key.fingerprint) ?? null, seen, plan);
  const wanted = new Set(folder.keys.map((key) => key.fingerprint));
  for (const row of rows.values()) {
    const isOurs = row.managedBy !== null && row.revokedAt === null && !wanted.has(row.fingerprint);
    if (!isOurs) continue;
    if (isKept(folder, row)) plan.kept.push(nameOf(org, row.fingerprint));
    else planRevocation(row, seen, plan);
  }
}

/** Whether the file of a key that is in no file now may still have it. */
function isKept(folder: OrgFolder, { managedBy, publicKey }: LoginKey): boolean {
  const isIncomplete = folder.broken.has(managedBy!) || folder.resting.has(managedBy!);
  return folder.isUnreadable || isIncomplete || isInBroken(folder, publicKey);
}

function isInBroken({ brokenContent }: OrgFolder, publicKey: string): boolean {
  return brokenContent.some((content) => content.includes(publicKey));
}

function planKey(
  org: string,
  folder: OrgFolder,
  key: FolderKey,
  row: LoginKey | null,
  seen: SeenKeys,
  plan: FolderPlan,
): void {
  const { fingerprint, file } = key;
  if (row !== null && row.revokedAt !== null && row.revokedBy !== 'folder') {
    plan.problems.push({
      file,
      message: `the key ${fingerprint} was revoked by a command, and remains revoked: remove it from this file`,
    });
  } else if (row === null || row.revokedAt !== null) {
    if (row === null || !seen?.has(nameOf(org, fingerprint))) planAddition(org, folder, key, row, plan);
  } else if (row.managedBy !== null) {
    const isGuarded = folder.broken.size > 0;
    const change = compareTerms(key, row, isGuarded ? folder : null);
    if (row.kind === kindOf(key)) {
      if (change !== null) plan.actions.push({ action: 'change', org, fingerprint, file, change });
    } else if (!isGuarded)
      plan.actions.push({ action: 'revoke', org, fingerprint, file }, { action: 'add', org, key, before: row });
  }
}

/** Another file may narrow the terms of a new key: it must be complete, and one that is broken must not have the key. */
function planAddition(org: string, folder: OrgFolder, key: FolderKey, before: LoginKey | null, plan: FolderPlan): void {
  if (folder.isBeingWritten) return;
  if (isInBroken(folder, key.publicKey))
    plan.problems.push({
      file: key.file,
      message: `the key ${key.fingerprint} is not added yet: a file that can't be used has it, too`,
    });
  else plan.actions.push({ action: 'add', org, key, before });
}

function planRevocation({ org, fingerprint, managedBy }: LoginKey, seen: SeenKeys, plan: FolderPlan): void {
  if (seen !== null && !seen.has(nameOf(org, fingerprint))) return;
  plan.actions.push({ action: 'revoke', org, fingerprint, file: managedBy! });
}

export function kindOf(key: FolderKey): 'key' | 'ca' {
  return key.terms.isAuthority ? 'ca' : 'key';
}

/** The terms of a key in its file; a permission that the file does not state is kept as a command set it. */
export function termsOf(key: FolderKey) {
  return { label: key.comment, managedBy: key.file, ...statedTerms(key) };
}

/** The terms that a command set for an earlier row of this key, and that its file does not state. */
export function keptTermsOf({ note, notBefore, permission, kind, allowsSha1 }: LoginKey, now: 'key' | 'ca') {
  return { note, notBefore, permission, allowsSha1: allowsSha1 && kind === now };
}

/**
 * null: the row agrees with the file. A key that is being rotated out keeps the end that was set for it. `guard`: the folder
 * has a broken file, which may have restricted the key, so that its terms become no wider.
 */
function compareTerms(key: FolderKey, row: LoginKey, guard: OrgFolder | null): LoginKeyChange | null {
  const { expiresAt, ...wanted } = guard === null ? termsOf(key) : guardedTerms(key, row, guard);
  const all = row.replacedAt === null ? { ...wanted, expiresAt } : wanted;
  const differs = Object.entries(all).filter(
    ([name, value]) => JSON.stringify(row[name as keyof LoginKey]) !== JSON.stringify(value),
  );
  return differs.length === 0 ? null : Object.fromEntries(differs);
}

function guardedTerms(key: FolderKey, row: LoginKey, { broken }: OrgFolder) {
  const { label, managedBy } = broken.has(row.managedBy!)
    ? { label: row.label, managedBy: row.managedBy }
    : termsOf(key);
  const stated = statedTerms(key);
  const { sources, expiresAt, permission, principals } = row;
  const present = { sources, expiresAt, permission, ...(row.kind === 'ca' && { principals }) };
  return { label, managedBy, ...narrow(present, stated, row.org) };
}
