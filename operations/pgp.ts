/** OpenPGP keys of an organization: its own, to which its files are encrypted, and the public keys of its customer's programs. */
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import type { Org } from '../db/control/orgs.js';
import {
  changePgpKey,
  listPgpKeys,
  type PgpKeyRow,
  type PgpKind,
  savePgpKey,
  statePgpKey,
} from '../db/control/pgpkeys.js';
import { oneLine } from '../importer/outside.js';
import { keyIdOf } from '../keys/master/orgidentity.js';
import { sealText } from '../keys/master/sealedtext.js';
import { PgpError } from '../keys/pgp/error.js';
import { generatePgpKey, type PgpKeyFacts, type PgpKeyType, pgpKeyTypes, readPgpKey } from '../keys/pgp/pgpkey.js';
import { OperationError } from './error.js';
import { readExpiry } from './keyterms.js';
import { lockOrganization, type Workplace } from './workplace.js';

export { type PgpKeyType, pgpKeyTypes };

export interface PgpKeyView {
  org: string;
  kind: PgpKind;
  fingerprint: string;
  keyIds: string[];
  algorithm: string;
  userId: string;
  state: 'active' | 'expired' | 'revoked';
  /** Milliseconds since 1970. */
  createdAt: number;
  expiresAt: number | null;
  revokedAt: number | null;
  /** `publish`: the key in /templates. `signatures`, `reports`: the settings that name it. */
  uses: ('publish' | 'signatures' | 'reports')[];
}

export interface GenerateOptions {
  type: PgpKeyType;
  /** Milliseconds since 1970; null: never. */
  expiresAt: number | null;
}

const dayMs = 86_400_000;
/** Of a key without a date. */
const usualDays = 730;

/** null: never. A date means its end, in the time zone of the organization; undefined: the usual time. @throws OperationError */
export async function readPgpExpiry(
  workplace: Workplace,
  orgId: string,
  expires: string | undefined,
): Promise<number | null> {
  const { timeZone } = await workplace.org(orgId);
  if (expires === 'never') return null;
  return expires === undefined ? workplace.now() + usualDays * dayMs : readExpiry(expires, timeZone, workplace.now());
}

/** Makes a key of the organization's own. Needs no opening key. @throws OperationError `refused` */
export async function generateOwnPgpKey(
  workplace: Workplace,
  orgId: string,
  options: GenerateOptions,
): Promise<PgpKeyView> {
  const made = await makeOwn(workplace, orgId, options);
  return saveOwn(workplace, orgId, made, 'pgp.generated', async () => {});
}

/**
 * A new key of the organization's own, and an end for those that it has: files may be encrypted to either until then.
 * @param overlapMs how long the old keys are still accepted.
 */
export async function rotatePgpKey(
  workplace: Workplace,
  orgId: string,
  options: GenerateOptions & { overlapMs: number },
): Promise<{ made: PgpKeyView; ending: PgpKeyView[] }> {
  const key = await makeOwn(workplace, orgId, options);
  const until = workplace.now() + options.overlapMs;
  const made = await saveOwn(workplace, orgId, key, 'pgp.rotated', async (tx) => {
    for (const old of await listPgpKeys(tx, orgId, 'own'))
      if (statePgpKey(old, workplace.now()) === 'active' && old.fingerprint !== key.fingerprint)
        await changePgpKey(tx, old.id, { expiresAt: Math.min(old.expiresAt ?? until, until) });
  });
  const ending = (await listPgp(workplace, orgId)).filter(
    ({ kind, state, fingerprint }) => kind === 'own' && state === 'active' && fingerprint !== made.fingerprint,
  );
  return { made, ending };
}

/**
 * A private key becomes one of the organization's own, a public key one of its customer.
 * @param passphrase of a private key that has one.
 * @throws OperationError `usage`, `refused`
 */
export async function importPgpKey(
  workplace: Workplace,
  orgId: string,
  bytes: Buffer,
  passphrase: string | null,
): Promise<PgpKeyView> {
  await workplace.org(orgId);
  const key = await asUsage(() => readPgpKey(bytes, workplace.now(), passphrase));
  if (key.isRevoked) throw new OperationError('refused', `the key ${key.fingerprint} was revoked by its owner`);
  if (key.expiresAt !== null && key.expiresAt <= workplace.now())
    throw new OperationError('refused', `the key ${key.fingerprint} has expired; ask for one that is valid`);
  if (key.privateKey !== null) {
    if (!key.canEncrypt)
      throw new OperationError(
        'refused',
        `no file can be encrypted to the key ${key.fingerprint}: it has no such subkey, or is too weak`,
      );
    return saveOwn(workplace, orgId, { ...key, privateKey: key.privateKey }, 'pgp.imported', async () => {});
  }
  if (!key.canEncrypt && !key.canSign)
    throw new OperationError(
      'refused',
      `the key ${key.fingerprint} (${key.algorithm}) can be used neither for signatures nor for encryption: RSA of 2048 bits or more, NIST curves and Curve25519 can`,
    );
  const { control, now, actor } = workplace;
  await control.transact(async (tx) => {
    await lockOrganization(tx, orgId);
    const row = toRow(orgId, 'customer', key, now());
    await savePgpKey(tx, { ...row, sealedPrivateKey: null, sealedTo: null });
    const detail = { kind: 'customer', algorithm: key.algorithm };
    await recordAudit(tx, { at: now(), org: orgId, actor, action: 'pgp.imported', subject: key.fingerprint, detail });
  });
  return find(workplace, orgId, key.fingerprint);
}

/** Own keys first, the newest first. */
export async function listPgp(workplace: Workplace, orgId: string): Promise<PgpKeyView[]> {
  const org = await workplace.org(orgId);
  const keys = await listPgpKeys(workplace.control.read, orgId);
  const published = findPublished(keys, workplace.now());
  const order = (key: PgpKeyRow) => (key.kind === 'own' ? 0 : 1);
  return keys.sort((a, b) => order(a) - order(b)).map((key) => toView(workplace, org, key, published));
}

/** The public key in armor: the one that is published, or another one. @throws OperationError `not_found` */
export async function exportPublicPgpKey(
  workplace: Workplace,
  orgId: string,
  fingerprint: string | undefined,
): Promise<{ fingerprint: string; publicKey: string }> {
  await workplace.org(orgId);
  const keys = await listPgpKeys(workplace.control.read, orgId);
  const key = fingerprint === undefined ? findPublished(keys, workplace.now()) : pick(keys, fingerprint);
  if (key === null)
    throw new OperationError('not_found', `${orgId} has no PGP key that can be used: dropslot pgp generate ${orgId}`);
  return { fingerprint: key.fingerprint, publicKey: key.publicKey };
}

/** Files that are encrypted to it are refused from now on, and signatures by it do not count. */
export async function revokePgpKey(workplace: Workplace, orgId: string, fingerprint: string): Promise<PgpKeyView> {
  const { control, now, actor } = workplace;
  const revoked = await control.transact(async (tx) => {
    const org = await lockOrganization(tx, orgId);
    const key = pick(await listPgpKeys(tx, orgId), fingerprint);
    if (key === null) throw new OperationError('not_found', `${orgId} has no PGP key ${fingerprint}`);
    if (key.kind === 'customer' && org.options.reportsTo === key.fingerprint)
      throw new OperationError(
        'refused',
        `the reports of ${orgId} are encrypted to this key: first choose another one with "dropslot orgs set ${orgId} reportsTo=…"`,
      );
    if (key.revokedAt !== null) throw new OperationError('refused', `the key ${key.fingerprint} was revoked earlier`);
    await changePgpKey(tx, key.id, { revokedAt: now() });
    const detail = { kind: key.kind };
    await recordAudit(tx, { at: now(), org: orgId, actor, action: 'pgp.revoked', subject: key.fingerprint, detail });
    return key.fingerprint;
  });
  return find(workplace, orgId, revoked);
}

/**
 * For the transaction that sets them, under the organization's lock: else a key could be revoked in between.
 * @throws OperationError `usage` where settings name keys that the organization does not have.
 */
export async function refuseUnknownPgpKeys(
  tx: Queryable,
  org: Pick<Org, 'id' | 'options'>,
  now: number,
): Promise<void> {
  const { requireSignature = [], reportsTo } = org.options;
  if (requireSignature.length === 0 && reportsTo === undefined) return;
  const keys = await listPgpKeys(tx, org.id, 'customer');
  const active = keys.filter((key) => statePgpKey(key, now) === 'active').map((key) => key.fingerprint);
  const missing = [...requireSignature, ...(reportsTo === undefined ? [] : [reportsTo])].find(
    (one) => !active.includes(one),
  );
  const reportKey = keys.find(({ fingerprint }) => fingerprint === reportsTo);
  if (reportKey !== undefined && !(await readPgpKey(Buffer.from(reportKey.publicKey), now, null)).canEncrypt)
    throw new OperationError(
      'usage',
      `reports cannot be encrypted to ${reportKey.fingerprint}: it is a key for signatures only; import one that has an encryption subkey`,
    );
  if (missing !== undefined)
    throw new OperationError(
      'usage',
      `${org.id} has no active public key ${missing} of its customer: first add it with "dropslot pgp import ${org.id} FILE"`,
    );
}

async function makeOwn(
  workplace: Workplace,
  orgId: string,
  { type, expiresAt }: GenerateOptions,
): Promise<PgpKeyFacts & { privateKey: string }> {
  const org = await workplace.org(orgId);
  const at = Math.floor(workplace.now() / 1000) * 1000;
  const seconds = expiresAt === null ? 0 : Math.ceil((expiresAt - at) / 1000);
  return generatePgpKey(type, { name: `Dropslot ${org.id}`, email: `${org.id}@dropslot.invalid` }, at, seconds);
}

async function saveOwn(
  workplace: Workplace,
  orgId: string,
  key: PgpKeyFacts & { privateKey: string },
  action: string,
  beside: (tx: Parameters<typeof savePgpKey>[0]) => Promise<void>,
): Promise<PgpKeyView> {
  const { control, now, actor } = workplace;
  await control.transact(async (tx) => {
    const org = await lockOrganization(tx, orgId);
    if (org.sealedIdentity === null)
      throw new OperationError(
        'refused',
        `the identity of ${orgId} was destroyed: dropslot identity rotate ${orgId} makes a new one`,
      );
    await beside(tx);
    const sealedPrivateKey = await sealText(org.recipient, key.privateKey);
    await savePgpKey(tx, { ...toRow(orgId, 'own', key, now()), sealedPrivateKey, sealedTo: keyIdOf(org.recipient) });
    const detail = { kind: 'own', algorithm: key.algorithm };
    await recordAudit(tx, { at: now(), org: orgId, actor, action, subject: key.fingerprint, detail });
  });
  return find(workplace, orgId, key.fingerprint);
}

function toRow(org: string, kind: PgpKind, key: PgpKeyFacts, at: number) {
  const { fingerprint, keyIds, algorithm, publicKey, expiresAt } = key;
  const userId = oneLine(key.userId).slice(0, 200);
  return { org, kind, fingerprint, keyIds, algorithm, userId, publicKey, createdAt: at, expiresAt, revokedAt: null };
}

async function find(workplace: Workplace, orgId: string, fingerprint: string): Promise<PgpKeyView> {
  return (await listPgp(workplace, orgId)).find((key) => key.fingerprint === fingerprint)!;
}

/** By its fingerprint, or by a key id or a beginning that one key alone has. @throws OperationError `usage` */
function pick(keys: readonly PgpKeyRow[], text: string): PgpKeyRow | null {
  const wanted = text.replace(/\s|^0x/gi, '').toUpperCase();
  if (wanted.length < 8)
    throw new OperationError('usage', `"${text}" is too short for a fingerprint: give 8 characters or more`);
  const found = keys.filter(({ fingerprint, keyIds }) => fingerprint.startsWith(wanted) || keyIds.includes(wanted));
  if (found.length > 1)
    throw new OperationError('usage', `several keys begin with ${wanted}: give the whole fingerprint`);
  return found[0] ?? null;
}

function findPublished(keys: readonly PgpKeyRow[], now: number): PgpKeyRow | null {
  return keys.find((key) => key.kind === 'own' && statePgpKey(key, now) === 'active') ?? null;
}

function toView({ now }: Workplace, { options }: Org, key: PgpKeyRow, published: PgpKeyRow | null): PgpKeyView {
  const { org, kind, fingerprint, keyIds, algorithm, userId, createdAt, expiresAt, revokedAt } = key;
  const uses: PgpKeyView['uses'] = [];
  if (key.id === published?.id) uses.push('publish');
  if (kind === 'customer' && options.requireSignature?.includes(fingerprint) === true) uses.push('signatures');
  if (kind === 'customer' && options.reportsTo === fingerprint) uses.push('reports');
  const state = statePgpKey(key, now());
  return { org, kind, fingerprint, keyIds, algorithm, userId, state, createdAt, expiresAt, revokedAt, uses };
}

async function asUsage<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof PgpError) throw new OperationError('usage', error.message, { cause: error });
    throw error;
  }
}
