/** Adding and revoking the login keys of an organization. */
import { DateTime } from 'luxon';
import { recordAudit } from '../../db/control/audit.js';
import {
  insertLoginKey,
  type LoginKey,
  listLoginKeys,
  type NewLoginKey,
  revokeLoginKey,
} from '../../db/control/keys.js';
import type { Org } from '../../db/control/orgs.js';
import { parsePublicKeys } from '../../keys/login.js';
import { parseSources } from '../../keys/source.js';
import type { Workplace } from '../compose.js';
import { AdminError } from '../error.js';

export interface KeyTerms {
  /** null: the key's own comment. */
  label: string | null;
  expiresAt: number | null;
  /** CIDRs as `parseSources` gives them; empty: every address. */
  sources: string[];
}

/**
 * Adds every public key of a file, all or none.
 * @throws KeyError on what is no usable key; DatabaseError `duplicate`.
 */
export async function addKeys(place: Workplace, orgId: string, text: string, terms: KeyTerms): Promise<NewLoginKey[]> {
  const org = await place.org(orgId);
  const at = place.now();
  const keys = parsePublicKeys(text).map((key) => ({
    org: org.id,
    fingerprint: key.fingerprint,
    algorithm: key.algorithm,
    publicKey: key.publicKey,
    label: terms.label ?? key.comment,
    sources: terms.sources,
    expiresAt: terms.expiresAt,
    createdAt: at,
  }));
  await place.control.write.transaction(async (tx) => {
    for (const key of keys) {
      await insertLoginKey(tx, key);
      const { algorithm, sources, expiresAt } = key;
      const detail = { algorithm, sources, expiresAt };
      await recordAudit(tx, {
        at,
        org: org.id,
        actor: place.actor,
        action: 'key.added',
        subject: key.fingerprint,
        detail,
      });
    }
  });
  return keys;
}

/**
 * Revokes the key whose fingerprint begins so; `SHA256:` may be left out.
 * @throws AdminError `not_found`, `usage` when several keys begin so, `refused` when it was revoked before.
 */
export async function revokeKey(place: Workplace, orgId: string, prefix: string): Promise<LoginKey> {
  const org = await place.org(orgId);
  const key = findByPrefix(await listLoginKeys(place.control.read, org.id), org, prefix);
  const at = place.now();
  await place.control.write.transaction(async (tx) => {
    if (!(await revokeLoginKey(tx, org.id, key.fingerprint, at)))
      throw new AdminError('refused', `the key ${key.fingerprint} is revoked already`);
    const detail = { label: key.label };
    await recordAudit(tx, {
      at,
      org: org.id,
      actor: place.actor,
      action: 'key.revoked',
      subject: key.fingerprint,
      detail,
    });
  });
  return { ...key, revokedAt: at };
}

function findByPrefix(keys: LoginKey[], org: Org, prefix: string): LoginKey {
  const wanted = prefix.startsWith('SHA256:') ? prefix : `SHA256:${prefix}`;
  const found = keys.filter((key) => key.fingerprint.startsWith(wanted));
  if (found.length > 1)
    throw new AdminError('usage', `several keys of ${org.id} begin with ${wanted}: give more of it`);
  if (found[0] === undefined)
    throw new AdminError('not_found', `no key of ${org.id} begins with ${wanted}; see "dropslot keys list ${org.id}"`);
  return found[0];
}

/**
 * A date means the end of that day in the organization's time zone; a time means itself.
 * @throws AdminError `usage` when it is neither, or past.
 */
export function readExpiry(text: string, timeZone: string, now: number): number {
  const given = DateTime.fromISO(text, { zone: timeZone });
  if (!given.isValid || !/^\d{4}-\d{2}-\d{2}/.test(text))
    throw new AdminError('usage', `"${text}" is no date; write it as 2027-12-31 or 2027-12-31T18:00`);
  const end = text.length === 10 ? given.plus({ days: 1 }).startOf('day') : given;
  if (end.toMillis() <= now) throw new AdminError('usage', `${text} is past: the key could never be used`);
  return end.toMillis();
}

/** CIDRs of `--from`. @throws AdminError `usage` */
export function readSources(text: string): string[] {
  try {
    return parseSources(text);
  } catch (cause) {
    throw new AdminError('usage', (cause as Error).message, { cause });
  }
}

export type KeyState = 'usable' | 'revoked' | 'expired';

export function stateOfKey(key: Pick<LoginKey, 'revokedAt' | 'expiresAt'>, now: number): KeyState {
  if (key.revokedAt !== null) return 'revoked';
  return key.expiresAt !== null && key.expiresAt <= now ? 'expired' : 'usable';
}
