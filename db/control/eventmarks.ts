/** Conditions that last (a full disk, a key that expires): each has one event when it begins, and none while it lasts. */
import type { Db, Queryable } from '../connection.js';
import { type NewEvent, recordEvent } from './events.js';

export interface Condition {
  /** Unique, and beginning with the prefix of its kind. */
  name: string;
  data: Record<string, unknown>;
}

/**
 * Records an event of each condition that is new, and forgets those that have ended.
 * @param conditions all that exist now and whose names begin with `prefix`.
 */
export async function followConditions(
  control: Db,
  prefix: string,
  conditions: readonly Condition[],
  eventOf: (data: Condition['data']) => NewEvent,
): Promise<void> {
  const known = new Set(await listMarks(control.read, prefix));
  const isSame = conditions.length === known.size && conditions.every(({ name }) => known.has(name));
  // A transaction in each round would cost more than the events.
  if (isSame) return;
  await control.transact(async (tx) => {
    for (const { name, data } of conditions) {
      const event = eventOf(data);
      if (!known.has(name) && (await mark(tx, name, event.at))) await recordEvent(tx, event);
      known.delete(name);
    }
    for (const name of known) await tx('event_marks').where({ name }).delete();
  });
}

/** A node that has not looked for so long is gone, and its marks are forgotten. */
const goneAfterMs = 90 * 86_400_000;
/** A mark says so often that its node still looks. */
const renewEveryMs = 86_400_000;

/**
 * As followConditions, of one node: it leaves the marks of others alone. On SQLite there is one node, whatever its name.
 * @param conditions names without a prefix.
 */
export async function followConditionsOfNode(
  control: Db,
  { kind, host, at }: { kind: string; host: string; at: number },
  conditions: readonly Condition[],
  eventOf: (data: Condition['data']) => NewEvent,
): Promise<void> {
  // No `:` after the kind: versions that know no nodes forget all marks that begin so.
  const prefix = control.dialect === 'sqlite' ? `${kind}:` : `${kind}@${host}:`;
  const own = conditions.map(({ name, data }) => ({ name: `${prefix}${name}`, data }));
  await followConditions(control, prefix, own, eventOf);
  if (control.dialect === 'sqlite') return;
  const names = own.map(({ name }) => name);
  await control.transact(async (tx) => {
    await tx('event_marks')
      .whereIn('name', names)
      .where('at', '<', at - renewEveryMs)
      .update({ at });
    await tx('event_marks')
      .where((all) => all.whereLike('name', `${kind}@%`).orWhereLike('name', `${kind}:%`))
      .where('at', '<', at - goneAfterMs)
      .delete();
  });
}

/** When backups were expected first (ms): when this was asked first. */
export async function backupsExpectedFrom(db: Queryable, now: number): Promise<number> {
  await mark(db, backupMark, now);
  return (await db('event_marks').where({ name: backupMark }).first('at')).at;
}

/** Earlier versions also noted each backup under this name; now the audit trail alone has them. */
const backupMark = 'backup';

export async function listMarks(db: Queryable, prefix: string): Promise<string[]> {
  const names: string[] = await db('event_marks').whereLike('name', `${prefix}%`).pluck('name');
  return names.filter((name) => name.startsWith(prefix));
}

export async function forgetMarks(db: Queryable, names: readonly string[]): Promise<void> {
  for (let from = 0; from < names.length; from += 500)
    await db('event_marks')
      .whereIn('name', names.slice(from, from + 500))
      .delete();
}

/** Notes that something happened; false: it was noted before. */
export async function mark(db: Queryable, name: string, at: number): Promise<boolean> {
  return (await db('event_marks').insert({ name, at }).onConflict('name').ignore().returning('name')).length > 0;
}
