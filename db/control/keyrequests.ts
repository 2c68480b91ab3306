/** Changes of login keys that an organization's people asked for, and that wait for an operator. */
import type { Queryable } from '../connection.js';

export type KeyRequestKind = 'add' | 'replace' | 'addresses';

export interface KeyRequest {
  id: number;
  org: string;
  kind: KeyRequestKind;
  detail: unknown;
  /** As the audit trail names them. */
  by: string;
  at: number;
}

/** Its number. */
export async function insertKeyRequest(db: Queryable, request: Omit<KeyRequest, 'id'>): Promise<number> {
  const { org, kind, detail, by, at } = request;
  const row = { org_id: org, kind, detail: JSON.stringify(detail), requested_by: by, requested_at: at };
  const [inserted] = await db('key_requests').insert(row).returning<{ id: number }[]>('id');
  return inserted!.id;
}

/** Of an organization, or of all; the oldest first. */
export async function listKeyRequests(db: Queryable, org?: string): Promise<KeyRequest[]> {
  const query = db('key_requests').orderBy('id').limit(1_000);
  if (org !== undefined) query.where({ org_id: org });
  return (await query).map((row) => ({
    ...{ id: row.id, org: row.org_id, kind: row.kind, detail: JSON.parse(row.detail) },
    ...{ by: row.requested_by, at: row.requested_at },
  }));
}

/** false: there is no such request. */
export async function deleteKeyRequest(db: Queryable, org: string, id: number): Promise<boolean> {
  return (await db('key_requests').where({ org_id: org, id }).delete()) > 0;
}
