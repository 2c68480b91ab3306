/** Certificates that are revoked before their time: by serial number, by key id, or by the certified key. */
import type { Queryable } from '../connection.js';
import { bumpAccess } from './accessversion.js';

export interface CertificateMark {
  kind: 'serial' | 'id' | 'key';
  value: string;
  /** Fingerprint of the authority; empty: any authority. */
  authority: string;
}

export interface RevokedCertificate extends CertificateMark {
  org: string;
  at: number;
}

/** Whether it was not revoked yet. */
export async function revokeCertificate(
  db: Queryable,
  org: string,
  mark: CertificateMark,
  at: number,
): Promise<boolean> {
  const { kind, value, authority: ca } = mark;
  const rows = await db('revoked_certificates')
    .insert({ org_id: org, kind, value, ca, created_at: at })
    .onConflict(['org_id', 'kind', 'value', 'ca'])
    .ignore()
    .returning('id');
  await bumpAccess(db);
  return rows.length > 0;
}

export async function listRevokedCertificates(db: Queryable, org: string): Promise<RevokedCertificate[]> {
  const rows = await db('revoked_certificates').where({ org_id: org }).orderBy('id');
  return rows.map(({ kind, value, ca, created_at }) => ({ org, kind, value, authority: ca, at: created_at }));
}

/** Whether any of these marks is on the list. */
export async function isCertificateRevoked(
  db: Queryable,
  org: string,
  authority: string,
  marks: readonly Pick<CertificateMark, 'kind' | 'value'>[],
): Promise<boolean> {
  const row = await db('revoked_certificates')
    .where({ org_id: org })
    .whereIn('ca', ['', authority])
    .whereIn(
      ['kind', 'value'],
      marks.map(({ kind, value }) => [kind, value]),
    )
    .first('id');
  return row !== undefined;
}
