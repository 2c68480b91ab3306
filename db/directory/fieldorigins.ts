/**
 * Remembers which values of users and teams a person set last, and not a file: an organization may keep later files from
 * changing them (option `fieldOwner`). A value without a row came from a file, or was never set.
 */
import type { Queryable } from '../connection.js';

export interface FieldOrigin {
  /** A standard label (`Manager Email`), or the id of a custom field. `Deactivation Date` stands for the status, too. */
  field: string;
  origin: 'person';
  /** Milliseconds since 1970. */
  setAt: number;
}

/** Whose values: a user or a team, by its id. */
export interface OriginOwner {
  org: string;
  entity: 'user' | 'team';
  entityId: number;
}

/** Notes that a person set, or cleared, these values. Joins the caller's transaction. */
export async function recordPersonSet(
  tx: Queryable,
  { org, entity, entityId }: OriginOwner,
  fields: readonly string[],
  at: number,
): Promise<void> {
  for (const field of new Set(fields))
    await tx('field_origins')
      .insert({ org_id: org, entity, entity_id: entityId, field, origin: 'person', set_at: at })
      .onConflict(['entity', 'entity_id', 'field'])
      .merge(['origin', 'set_at']);
}

/** From now on the values are as a file's. Without `fields` all of them. Joins the caller's transaction. */
export async function forgetOrigins(
  tx: Queryable,
  { org, entity, entityId }: OriginOwner,
  fields?: readonly string[],
): Promise<void> {
  const query = tx('field_origins').where({ org_id: org, entity, entity_id: entityId });
  if (fields !== undefined) query.whereIn('field', fields);
  await query.delete();
}

/** The values of a user or team that a person set last, by their fields. */
export async function listPersonSet(db: Queryable, { org, entity, entityId }: OriginOwner): Promise<FieldOrigin[]> {
  const rows = await db('field_origins').where({ org_id: org, entity, entity_id: entityId }).orderBy('field');
  return rows.map(({ field, origin, set_at }) => ({ field, origin, setAt: set_at }));
}
