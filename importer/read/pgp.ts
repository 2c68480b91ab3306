/** Reads PGP files: decides by which key, checks signatures, and says to the sender why a file is refused (rule F2). */
import type { OrgOptions } from '../../db/control/orgoptions.js';
import { type PgpKeyRow, statePgpKey } from '../../db/control/pgpkeys.js';
import { hasArmor, unarmor } from '../../keys/pgp/armor.js';
import { decryptPgp, type SignatureCheck } from '../../keys/pgp/decrypt.js';
import { PgpError } from '../../keys/pgp/error.js';
import type { PgpKeySet } from '../../keys/pgp/keyset.js';
import { type Outer, outerBytes, readOuter } from '../../keys/pgp/outer.js';
import { type CodeName, type Details, RefusalError, refuse } from '../codes.js';
import { ByteReader } from './bytereader.js';

export interface PgpContext {
  options: Pick<OrgOptions, 'requireEncryption' | 'requireSignature' | 'allowUnprotectedPgp'>;
  readKeys(): Promise<PgpKeySet>;
  /** Milliseconds since 1970. */
  now(): number;
}

/** What reading a file has shown so far. */
export interface PgpState {
  isEncrypted: boolean;
}

const pieceBytes = 64 * 1024;
/** Text of a mail may stand before the message. */
const mostTextBytes = 16 * 1024;

/** @param name of the file: only one that says PGP may have other text before the message. */
export function isPgpFile(begin: Buffer, name: string): boolean {
  if (readOuter(begin) !== null) return true;
  const text = begin.toString('latin1', 0, mostTextBytes);
  return hasArmor(/\.(?:pgp|gpg|asc)\b/i.test(name) ? text : text.trimStart().slice(0, 64));
}

/**
 * The content of the message. Only a reader that saw the end without an error may use it.
 * @throws RefusalError; KeyError when a private key can't be opened on this machine
 */
export async function* readPgp(reader: ByteReader, context: PgpContext, state: PgpState): AsyncGenerator<Buffer> {
  const isArmored = hasArmor((await reader.peek(mostTextBytes)).toString('latin1'));
  const binary = isArmored ? new ByteReader(unarmor(pieces(reader))) : reader;
  try {
    const begin = await binary.peek(outerBytes);
    const outer = readOuter(begin);
    if (outer === 'cut' && begin.length < outerBytes) throw new PgpError('damaged', 'it was cut off');
    if (outer === null) throw new PgpError('damaged', 'it does not begin with a PGP message');
    if (outer === 'unsupported' || outer === 'cut') throw new PgpError('unsupported', 'its first packets are unknown');
    const keys = await context.readKeys();
    const privateKeys = outer.form === 'signed' ? [] : await choosePrivate(outer, keys, context);
    state.isEncrypted ||= outer.form !== 'signed';
    const signers = keys.customers.filter((key) => statePgpKey(key, context.now()) === 'active');
    let signatures: SignatureCheck[] = [];
    yield* decryptPgp(
      pieces(binary),
      {
        privateKeys,
        publicKeys: signers.map(({ publicKey }) => publicKey),
        allowsUnprotected: context.options.allowUnprotectedPgp === true,
        now: context.now(),
      },
      (found) => {
        signatures = found;
      },
    );
    checkSignatures(signatures, signers, context.options.requireSignature);
  } catch (error) {
    if (!(error instanceof PgpError)) throw error;
    throw refusal(error.code === 'unsupported' ? 'pgp_unsupported' : 'pgp_damaged', { reason: error.message });
  } finally {
    if (binary !== reader) await binary.close();
  }
}

/** @throws RefusalError for a file without a PGP message that had to have one. */
export function requirePgp({ options }: PgpContext, { isEncrypted }: PgpState, isMessage: boolean): void {
  if (options.requireEncryption === true && !isEncrypted) throw refusal('must_encrypt');
  if (options.requireSignature !== undefined && !isMessage)
    throw refusal('must_sign', { keys: options.requireSignature.join(', '), found: 'this file is not signed' });
}

async function choosePrivate(outer: Outer, keys: PgpKeySet, { options, now }: PgpContext): Promise<string[]> {
  if (outer.form === 'none' && options.allowUnprotectedPgp !== true) throw refusal('pgp_unprotected');
  const isHidden = outer.recipients.some((id) => /^0+$/.test(id));
  const isFor = ({ keyIds }: PgpKeyRow) => keyIds.some((id) => outer.recipients.includes(id));
  const named = keys.own.filter(isFor);
  const states = new Map(keys.own.map((key) => [key, statePgpKey(key, now())]));
  const usable = (isHidden ? keys.own : named).filter((key) => states.get(key) === 'active');
  if (usable.length > 0) return Promise.all(usable.map((key) => keys.openPrivate(key)));
  const ids = outer.recipients.slice(0, 10).join(', ');
  const [old] = named;
  if (old !== undefined)
    throw refusal('pgp_old_key', {
      id: old.fingerprint,
      state: states.get(old) === 'revoked' ? 'was revoked' : `expired on ${dateOf(old.expiresAt!)}`,
    });
  if (ids === '') throw refusal('pgp_password');
  const current = keys.own.find((key) => states.get(key) === 'active');
  if (current === undefined) throw refusal('pgp_no_key', { ids });
  throw refusal('pgp_other_key', { ids, own: current.keyIds.join(', ') });
}

function checkSignatures(
  signatures: readonly SignatureCheck[],
  signers: readonly PgpKeyRow[],
  required: readonly string[] | undefined,
): void {
  const isForged = ({ problem }: SignatureCheck) => problem !== null && /verification failed|digest/i.test(problem);
  const forged = signatures.find(isForged);
  if (forged !== undefined) throw refusal('pgp_bad_signature', { id: forged.keyId, reason: forged.problem! });
  if (required === undefined) return;
  const accepted = new Set(signers.filter((key) => required.includes(key.fingerprint)).flatMap((key) => key.keyIds));
  if (signatures.some(({ keyId, problem }) => problem === null && accepted.has(keyId))) return;
  const bad = signatures.find(({ keyId, problem }) => accepted.has(keyId) && problem !== null && problem !== 'unknown');
  if (bad !== undefined) throw refusal('pgp_bad_signature', { id: bad.keyId, reason: bad.problem! });
  const found = signatures.map(({ keyId }) => keyId).slice(0, 10);
  throw refusal('must_sign', {
    keys: required.join(', '),
    found: found.length === 0 ? 'this file is not signed' : `this file is signed with the key ${found.join(', ')}`,
  });
}

async function* pieces(reader: ByteReader): AsyncGenerator<Buffer> {
  for (let piece = await reader.next(pieceBytes); piece !== null; piece = await reader.next(pieceBytes)) yield piece;
}

function refusal(code: CodeName, details: Details = {}): RefusalError {
  return new RefusalError(refuse(code, details));
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
