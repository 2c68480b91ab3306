/** Custom fields of an organization's users. */
import type { Queryable } from '../connection.js';

export type FieldType = 'text' | 'boolean' | 'date';

export interface Field {
  /** The key in a user's custom values. */
  id: string;
  /** As first written. */
  label: string;
  type: FieldType;
  /** Order of their appearance. */
  position: number;
  createdAt: number;
}

/** In the order of their appearance. */
export async function listFields(db: Queryable, org: string): Promise<Field[]> {
  const rows = await db('fields').where({ org_id: org }).orderBy(['position', 'id']);
  return rows.map((row) => ({
    id: row.id,
    label: row.label,
    type: row.type,
    position: row.position,
    createdAt: row.created_at,
  }));
}
