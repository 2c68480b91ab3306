/** Credentials other than plain keys: generated passwords, and certificates that are revoked before they expire. */
import {
  type CertificateMark,
  listRevokedCertificates,
  type RevokedCertificate,
  revokeCertificate,
} from '../db/control/certificates.js';
import { insertLoginKey, type NewLoginKey } from '../db/control/keys.js';
import { generatePassword } from '../keys/login/password.js';
import { parsePublicKeys } from '../keys/login/publickeys.js';
import { OperationError } from './error.js';
import { refuseWithoutYes } from './keychanges.js';
import type { KeyTerms } from './keyterms.js';
import { auditKey, findKey } from './loginkeys.js';
import type { Workplace } from './workplace.js';

/** Generates a password. It is returned once; only its hash is stored. @throws OperationError `not_found` */
export async function addPassword(
  workplace: Workplace,
  orgId: string,
  terms: KeyTerms,
): Promise<{ key: Omit<NewLoginKey, 'secret'>; password: string }> {
  const org = await workplace.org(orgId);
  refuseWithoutYes(workplace, org);
  const { fingerprint, text, secret } = await generatePassword();
  const key: Omit<NewLoginKey, 'secret'> = {
    org: org.id,
    kind: 'password',
    fingerprint,
    algorithm: 'scrypt',
    publicKey: '',
    label: terms.label ?? '',
    note: terms.note ?? '',
    sources: terms.sources ?? [],
    notBefore: terms.notBefore ?? null,
    expiresAt: terms.expiresAt ?? null,
    permission: terms.permission ?? 'read',
    addedBy: workplace.actor,
    createdAt: workplace.now(),
  };
  await workplace.control.transact(async (tx) => {
    await insertLoginKey(tx, { ...key, secret });
    const { sources, notBefore, expiresAt, permission } = key;
    await auditKey(tx, workplace, org.id, 'key.added', fingerprint, {
      kind: 'password',
      sources,
      notBefore,
      expiresAt,
      permission,
    });
  });
  return { key, password: text };
}

export interface CertificateChoice {
  serial?: string;
  id?: string;
  /** A fingerprint, or the content of a public key file. */
  key?: string | Buffer;
  /** Fingerprint of the authority, or its beginning. */
  authority?: string;
}

/** @throws OperationError `usage` when it is not one of serial, id and key; `refused` when it is revoked already */
export async function revokeCertificates(
  workplace: Workplace,
  orgId: string,
  choice: CertificateChoice,
): Promise<CertificateMark> {
  const org = await workplace.org(orgId);
  const mark = { ...readMark(choice), authority: '' };
  if (choice.authority !== undefined) {
    const authority = await findKey(workplace, org, choice.authority);
    if (authority.kind !== 'ca') throw new OperationError('usage', `${authority.fingerprint} is not an authority`);
    mark.authority = authority.fingerprint;
  }
  await workplace.control.transact(async (tx) => {
    if (!(await revokeCertificate(tx, org.id, mark, workplace.now())))
      throw new OperationError('refused', `certificates with this ${mark.kind} are revoked already`);
    const { kind, value, authority } = mark;
    // A key id often is a person's name.
    await auditKey(tx, workplace, org.id, 'certificate.revoked', authority || 'any authority', {
      kind,
      ...(kind !== 'id' && { value }),
    });
  });
  return mark;
}

export async function listRevoked(workplace: Workplace, orgId: string): Promise<RevokedCertificate[]> {
  const org = await workplace.org(orgId);
  return listRevokedCertificates(workplace.control.read, org.id);
}

function readMark({ serial, id, key }: CertificateChoice): Pick<CertificateMark, 'kind' | 'value'> {
  const given = [serial, id, key].filter((one) => one !== undefined);
  if (given.length !== 1) throw new OperationError('usage', 'say one of --serial, --id and --key');
  if (serial !== undefined && !/^\d{1,20}$/.test(serial))
    throw new OperationError('usage', `"${serial}" is no serial number`);
  if (serial !== undefined) return { kind: 'serial', value: BigInt(serial).toString() };
  if (id !== undefined) return { kind: 'id', value: id };
  const value = typeof key === 'string' && key.startsWith('SHA256:') ? key : parsePublicKeys(key!)[0]!.fingerprint;
  return { kind: 'key', value };
}
