/** Custom fields of an organization's users, and the changes that operators make to them. */

import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';

export type FieldType = 'text' | 'boolean' | 'date';

export interface Field {
  /** The key in a user's custom values. */
  id: string;
  /** As first written, or as an operator has renamed it. */
  label: string;
  type: FieldType;
  /** Order of their appearance. */
  position: number;
  createdAt: number;
  /** Exports and templates leave it out. */
  hidden: boolean;
  /** Compared forms of labels that it had before: files that write them mean this field. */
  aliases: readonly string[];
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
    hidden: row.hidden === 1,
    aliases: JSON.parse(row.aliases),
  }));
}

export async function insertField(tx: Queryable, org: string, field: Field, labelKey: string): Promise<void> {
  await tx('fields').insert({
    id: field.id,
    org_id: org,
    label: field.label,
    label_key: labelKey,
    type: field.type,
    position: field.position,
    created_at: field.createdAt,
  });
}

export type FieldChange = Partial<Pick<Field, 'label' | 'type' | 'hidden' | 'aliases'> & { labelKey: string }>;

export async function updateField(tx: Queryable, id: string, change: FieldChange): Promise<void> {
  const { label, labelKey, type, hidden, aliases } = change;
  const row = {
    ...(label !== undefined && { label }),
    ...(labelKey !== undefined && { label_key: labelKey }),
    ...(type !== undefined && { type }),
    ...(hidden !== undefined && { hidden: Number(hidden) }),
    ...(aliases !== undefined && { aliases: JSON.stringify(aliases) }),
  };
  await tx('fields').where({ id }).update(row);
}

/** A user's value of one field. */
export interface FieldValue {
  userId: number;
  email: string;
  value: string;
}

const pageRows = 5000;

/** Pages of all values of a field, in the order of the users' ids. */
export async function* listValues(db: Queryable, org: string, fieldId: string): AsyncGenerator<FieldValue[]> {
  for (let after = 0; ; ) {
    const rows: FieldValue[] = await db('users')
      .where({ org_id: org })
      .where('id', '>', after)
      .whereNotNull(db.raw(customValue(db, fieldId)) as never)
      .orderBy('id')
      .limit(pageRows)
      .select({ userId: 'id', email: 'email' }, db.raw(`${customValue(db, fieldId)} AS value`));
    if (rows.length > 0) yield rows;
    if (rows.length < pageRows) return;
    after = rows.at(-1)!.userId;
  }
}

/** Up to this number of fields, one look for each is quicker than to take each user's values apart. */
const fewFields = 8;

/** How many users have a value, by the id of the field: as countValues of every field, in one round. */
export async function countAllValues(
  db: Queryable,
  org: string,
  fieldIds: readonly string[],
): Promise<Map<string, number>> {
  if (fieldIds.length === 0) return new Map();
  if (fieldIds.length <= fewFields) {
    const columns = fieldIds.map((id) => db.raw(`COUNT(${customValue(db, id)}) AS f_${requireFieldId(id)}`));
    const [row] = (await db('users').where({ org_id: org }).select(columns)) as Record<string, number | string>[];
    return new Map(fieldIds.map((id) => [id, Number(row![`f_${id}`])]));
  }
  const each = dialectOf(db) === 'postgres' ? 'jsonb_each' : 'json_each';
  const rows: { id: string; users: number | string }[] = await db('users')
    .joinRaw(`CROSS JOIN ${each}(users.custom) AS one`)
    .where('users.org_id', org)
    .groupBy('one.key')
    .select({ id: 'one.key' })
    .count({ users: '*' });
  return new Map(rows.map(({ id, users }) => [id, Number(users)]));
}

export async function countValues(db: Queryable, org: string, fieldId: string): Promise<number> {
  const query = db('users')
    .where({ org_id: org })
    .whereNotNull(db.raw(customValue(db, fieldId)) as never);
  return Number((await query.count({ count: '*' }).first())?.count ?? 0);
}

/** Replaces the values of one field: one statement for all. */
export async function replaceValues(
  tx: Queryable,
  fieldId: string,
  values: readonly Pick<FieldValue, 'userId' | 'value'>[],
  now: number,
): Promise<void> {
  const id = requireFieldId(fieldId);
  const pairs = JSON.stringify(values.map(({ userId, value }) => ({ id: userId, v: value })));
  const sql =
    dialectOf(tx) === 'postgres'
      ? `UPDATE users SET custom = jsonb_set(custom, '{${id}}', to_jsonb(x.v)), updated_at = ?
         FROM jsonb_to_recordset(?::jsonb) AS x(id bigint, v text) WHERE users.id = x.id`
      : `UPDATE users SET custom = json_set(custom, '$."${id}"', x.v), updated_at = ?
         FROM (SELECT value->>'id' AS id, value->>'v' AS v FROM json_each(?)) AS x WHERE users.id = x.id`;
  await tx.raw(sql, [now, pairs]);
}

/** SQL of a user's value of a field; NULL: there is none. */
export function customValue(db: Queryable, fieldId: string): string {
  const id = requireFieldId(fieldId);
  return dialectOf(db) === 'postgres' ? `(custom->>'${id}')` : `json_extract(custom, '$."${id}"')`;
}

/** It stands in the statement itself. */
function requireFieldId(id: string): string {
  if (!/^[a-z0-9]+$/.test(id)) throw new Error(`${id} is no field's id`);
  return id;
}
