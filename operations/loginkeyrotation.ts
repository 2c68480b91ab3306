/** Replaces login keys without downtime: the new key works at once, the old ones for a grace period. */
import type { Queryable } from '../db/connection.js';
import {
  findLoginKey,
  type LoginKey,
  listLoginKeys,
  lockLoginKeys,
  type Permission,
  updateLoginKey,
} from '../db/control/keys.js';
import type { Org } from '../db/control/orgs.js';
import { type ParsedKey, parsePublicKeys } from '../keys/login/publickeys.js';
import { OperationError } from './error.js';
import { refuseWithoutYes } from './keychanges.js';
import { type KeyTerms, stateOfKey } from './keyterms.js';
import {
  type AddedKey,
  type AddOptions,
  addKey,
  auditKey,
  findKey,
  type LoginKeyView,
  requireOwn,
  viewKey,
} from './loginkeys.js';
import type { Workplace } from './workplace.js';

export interface RotateOptions extends Pick<AddOptions, 'publicPart' | 'addedBy' | 'first'> {
  /** How long the old keys still work, in milliseconds. */
  graceMs: number;
  /** Fingerprints of the old keys, or their beginnings; empty: every other key. */
  replaces: readonly string[];
  /** Also replace keys that a file of the key folder manages. */
  managed: boolean;
}

export interface RotatedKeys {
  /** Keys of the file that the organization did not have before. */
  added: AddedKey[];
  /** Fingerprint of the file's first key. */
  successor: string;
  replaced: LoginKeyView[];
  /** Other usable keys of the organization, unchanged. */
  kept: LoginKeyView[];
}

/**
 * Adds the keys of a file unless they exist, and lets the old ones expire. A second call can shorten the remaining time,
 * never extend it. A new key inherits the terms that all old keys share, where `terms` leaves them out.
 * @throws KeyError; OperationError `refused` when there is no key to replace, or it is managed by a file; `usage` when the
 * old keys differ in a term that the new key must have
 */
export async function rotateKeys(
  workplace: Workplace,
  orgId: string,
  content: string | Buffer,
  terms: KeyTerms,
  { graceMs, replaces, managed, publicPart = false, addedBy, first }: RotateOptions,
): Promise<RotatedKeys> {
  const org = await workplace.org(orgId);
  refuseWithoutYes(workplace, org);
  const parsed = parsePublicKeys(content, { timeZone: org.timeZone, publicPart });
  const fresh = parsed.map((key) => key.fingerprint);
  const found = await findOld(workplace, org, fresh, replaces);
  const at = workplace.now();
  const expiresAt = at + graceMs;
  return workplace.control.transact(async (tx) => {
    await first?.(tx);
    const old = await lockOld(tx, org, found, at);
    for (const key of old) requireOwn(key, managed);
    const inherited = inheritTerms(old, terms);
    const added: AddedKey[] = [];
    for (const key of parsed) {
      const known = await findLoginKey(tx, org.id, key.fingerprint);
      if (known !== null && known.revokedAt !== null)
        throw new OperationError(
          'refused',
          `the key ${key.fingerprint} was revoked: if no one else had it, add it again with "dropslot keys add ${org.id}"`,
        );
      if (known === null)
        added.push(await addKey(tx, workplace, org, key, { ...termsFor(key, inherited), ...terms }, { addedBy }));
      else if (stateOfKey(known, at) !== 'usable')
        throw new OperationError(
          'refused',
          `the key ${key.fingerprint} exists and is ${stateOfKey(known, at)}: change its terms with "dropslot keys set"`,
        );
    }
    const replaced: LoginKeyView[] = [];
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
      replaced.push(viewKey({ ...key, ...change }, at));
    }
    const touched = new Set([...fresh, ...old.map((key) => key.fingerprint)]);
    const kept = (await listLoginKeys(tx, org.id)).filter(
      (key) => stateOfKey(key, at) === 'usable' && !touched.has(key.fingerprint),
    );
    return { added, successor: fresh[0]!, replaced, kept: kept.map((key) => viewKey(key, at)) };
  });
}

async function findOld(
  workplace: Workplace,
  org: Org,
  fresh: readonly string[],
  replaces: readonly string[],
): Promise<LoginKey[]> {
  const at = workplace.now();
  if (replaces.length === 0) {
    const all = await listLoginKeys(workplace.control.read, org.id);
    const old = all.filter((key) => key.kind === 'key' && isLive(key, at) && !fresh.includes(key.fingerprint));
    if (old.length > 0) return old;
    throw new OperationError('refused', `${org.id} has no other key to replace: dropslot keys add ${org.id} FILE`);
  }
  const old = await Promise.all(replaces.map((prefix) => findKey(workplace, org, prefix)));
  for (const key of old) {
    if (fresh.includes(key.fingerprint)) throw new OperationError('usage', `${key.fingerprint} can't replace itself`);
    if (!isLive(key, at))
      throw new OperationError('refused', `${key.fingerprint} is ${stateOfKey(key, at)}: it can't be replaced`);
  }
  return old;
}

/** The old keys as they are now: one that was ended meanwhile must not live on. @throws OperationError `refused` */
async function lockOld(tx: Queryable, org: Org, found: readonly LoginKey[], at: number): Promise<LoginKey[]> {
  const fingerprints = found.map((key) => key.fingerprint);
  const old = await lockLoginKeys(tx, org.id, fingerprints);
  const live = old.filter((key) => isLive(key, at)).map((key) => key.fingerprint);
  const ended = fingerprints.find((fingerprint) => !live.includes(fingerprint));
  if (ended === undefined) return old;
  throw new OperationError(
    'refused',
    `the key ${ended} was ended meanwhile: look at the keys of ${org.id} again, and repeat the change`,
  );
}

/** A key of its own can still log in, now or later. */
function isLive(key: LoginKey, at: number): boolean {
  return ['usable', 'pending'].includes(stateOfKey(key, at));
}

/** @throws OperationError `usage` */
function inheritTerms(old: readonly LoginKey[], given: KeyTerms): KeyTerms {
  const sources = agreed(old, (key) => key.sources);
  const permission: Permission | null = agreed(old, (key) => key.permission);
  if (sources === null && given.sources === undefined)
    throw new OperationError(
      'usage',
      'the old keys may log in from different addresses: set --from for the new key (or --from any)',
    );
  if (permission === null && given.permission === undefined)
    throw new OperationError('usage', 'the old keys have different permissions: set --permission for the new key');
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

/** The options of the new file's own line override inherited terms. */
function termsFor({ terms, comment }: ParsedKey, { sources, permission, label }: KeyTerms): KeyTerms {
  return {
    ...(terms.sources === null && sources !== undefined && { sources }),
    ...(terms.permission === null && permission !== undefined && { permission }),
    ...(comment === '' && label !== undefined && { label }),
  };
}
