/** The chain of the audit trail: each record carries a hash over itself and the hash of the one before (docs/audit.md). */
import { createHash } from 'node:crypto';

export interface AuditEvent {
  /** In ms. */
  at: number;
  org: string | null;
  /** `key:SHA256:…`, `operator:<system user>`, or `system`. */
  actor: string;
  /** A dotted noun and verb: `upload.closed`, `key.revoked`. */
  action: string;
  subject: string;
  /** `address` says from where, `outcome` or `reason` how it ended. */
  detail: Record<string, unknown>;
}

/** The hashed fields of a record, as they are stored. */
export interface ChainedFields {
  /** 1 for the first record, and one more for each. */
  seq: number;
  at: number;
  org: string | null;
  actor: string;
  action: string;
  subject: string;
  /** JSON, byte for byte as it is stored. */
  detail: string;
}

/** The hash that the first record follows. */
export const beginning = '0'.repeat(64);

/** SHA-256 in hex over the UTF-8 of a JSON array without spaces, as JSON.stringify writes it. */
export function hashRecord(previous: string, fields: ChainedFields): string {
  const { seq, at, org, actor, action, subject, detail } = fields;
  return createHash('sha256')
    .update(JSON.stringify([previous, seq, at, org, actor, action, subject, detail]))
    .digest('hex');
}
