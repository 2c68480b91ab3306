/** Replacing login keys without downtime: the new one works at once, the old ones for a while yet. */
import { findLoginKey, type LoginKey, listLoginKeys, type Permission, updateLoginKey } from '../db/control/keys.js';
import type { Org } from '../db/control/orgs.js';
import { type ParsedKey, parsePublicKeys } from '../keys/login/publickeys.js';
import { OperationError } from './error.js';
import { type KeyTerms, stateOfKey } from './keyterms.js';
import { type AddedKey, type AddOptions, addKey, auditKey, findKey, requireOwn } from './loginkeys.js';
import type { Workplace } from './workplace.js';

export interface RotateOptions extends Pick<AddOptions, 'publicPart'> {
  /** How long the old keys go on. */
  graceMs: number;
  /** Fingerprints, or their beginnings; none: every other key. */
  replaces: readonly string[];
  /** Keys of files may be replaced. */
  managed: boolean;
}

export interface RotatedKeys {
  /** Those of the file that were not there before. */
  added: AddedKey[];
  /** Fingerprint of the file's first key. */
  successor: string;
  replaced: LoginKey[];
  /** Other keys of the organization that go on as they were. */
  kept: LoginKey[];
}

/**
 * Adds the keys of a file, unless they are there, and lets the old ones expire. A second call shortens the time that is
 * left, and never lengthens it. A new key gets the terms that the old ones agree on, where `terms` say nothing.
 * @throws KeyError; OperationError `refused` when there is nothing to replace, or a key of a file; `usage` when the old keys
 * disagree about terms that the new one must have.
 */
export async function rotateKeys(
  workplace: Workplace,
  orgId: string,
  text: string,
  terms: KeyTerms,
  { graceMs, replaces, managed, publicPart = false }: RotateOptions,
): Promise<RotatedKeys> {
  const org = await workplace.org(orgId);
  const parsed = parsePublicKeys(text, { timeZone: org.timeZone, publicPart });
  const fresh = parsed.map((key) => key.fingerprint);
  const old = await findOld(workplace, org, fresh, replaces);
  for (const key of old) requireOwn(key, managed);
  const at = workplace.now();
  const expiresAt = at + graceMs;
  const inherited = inheritTerms(old, terms);
  return workplace.control.transact(async (tx) => {
    const added: AddedKey[] = [];
    for (const key of parsed) {
      const there = await findLoginKey(tx, org.id, key.fingerprint);
      if (there !== null && there.revokedAt !== null)
        throw new OperationError(
          'refused',
          `the key ${key.fingerprint} was revoked: a key that nobody else had comes back by "dropslot keys add ${org.id}"`,
        );
      if (there === null) added.push(await addKey(tx, workplace, org, key, { ...termsFor(key, inherited), ...terms }));
      else if (stateOfKey(there, at) !== 'usable')
        throw new OperationError(
          'refused',
          `the key ${key.fingerprint} is there and ${stateOfKey(there, at)}: mend it with "dropslot keys set"`,
        );
    }
    const replaced: LoginKey[] = [];
    for (const key of old) {
      const change = {
        expiresAt: Math.min(key.expiresAt ?? expiresAt, expiresAt),
        replacedBy: fresh[0]!,
        replacedAt: key.replacedAt ?? at,
      };
      await updateLoginKey(tx, org.id, key.fingerprint, change);
      await auditKey(tx, workplace, org.id, 'key.replaced', key.fingerprint, {
        by: fresh[0],
        expiresAt: change.expiresAt,
      });
      replaced.push({ ...key, ...change });
    }
    const touched = new Set([...fresh, ...old.map((key) => key.fingerprint)]);
    const kept = (await listLoginKeys(tx, org.id)).filter(
      (key) => stateOfKey(key, at) === 'usable' && !touched.has(key.fingerprint),
    );
    return { added, successor: fresh[0]!, replaced, kept };
  });
}

async function findOld(
  workplace: Workplace,
  org: Org,
  fresh: readonly string[],
  replaces: readonly string[],
): Promise<LoginKey[]> {
  const isLive = (key: LoginKey) => ['usable', 'pending'].includes(stateOfKey(key, workplace.now()));
  if (replaces.length === 0) {
    const all = await listLoginKeys(workplace.control.read, org.id);
    const old = all.filter((key) => key.kind === 'key' && isLive(key) && !fresh.includes(key.fingerprint));
    if (old.length > 0) return old;
    throw new OperationError('refused', `${org.id} has no other key to replace: dropslot keys add ${org.id} FILE`);
  }
  const old = await Promise.all(replaces.map((prefix) => findKey(workplace, org.id, prefix)));
  for (const key of old) {
    if (fresh.includes(key.fingerprint)) throw new OperationError('usage', `${key.fingerprint} can't replace itself`);
    if (!isLive(key))
      throw new OperationError(
        'refused',
        `${key.fingerprint} is ${stateOfKey(key, workplace.now())}: nothing is left to replace`,
      );
  }
  return old;
}

/** @throws OperationError `usage` */
function inheritTerms(old: readonly LoginKey[], given: KeyTerms): KeyTerms {
  const sources = agreed(old, (key) => key.sources);
  const permission: Permission | null = agreed(old, (key) => key.permission);
  if (sources === null && given.sources === undefined)
    throw new OperationError(
      'usage',
      'the old keys may log in from different addresses: say --from for the new one (or "any")',
    );
  if (permission === null && given.permission === undefined)
    throw new OperationError('usage', 'the old keys have different permissions: say --permission for the new one');
  const label = agreed(old, (key) => key.label);
  return {
    ...(sources !== null && { sources }),
    ...(permission !== null && { permission }),
    ...(label !== null && label !== '' && { label }),
  };
}

/** null: they differ. */
function agreed<T>(keys: readonly LoginKey[], termOf: (key: LoginKey) => T): T | null {
  const values = new Map(keys.map((key) => [JSON.stringify(termOf(key)), termOf(key)]));
  return values.size === 1 ? [...values.values()][0]! : null;
}

/** What the new file says about its own key goes before what it inherits. */
function termsFor({ terms, comment }: ParsedKey, { sources, permission, label }: KeyTerms): KeyTerms {
  return {
    ...(terms.sources === null && sources !== undefined && { sources }),
    ...(terms.permission === null && permission !== undefined && { permission }),
    ...(comment === '' && label !== undefined && { label }),
  };
}
