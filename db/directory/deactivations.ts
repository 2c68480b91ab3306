/** Finds users whose scheduled deactivation is due, and deactivates them. */
import type { Db, Queryable } from '../connection.js';
import { inScript } from '../script.js';
import { bumpVersion } from './directory.js';
import { changesMark, recordDirectoryEvents } from './events.js';
import { carryKnownRows } from './knownrows.js';

const batchUsers = 500;

/** When the next one is due (ms); null: none is scheduled. */
export async function nextDeactivation(db: Db): Promise<number | null> {
  const row = await db.read('users').whereNotNull('deactivate_at').min({ at: 'deactivate_at' }).first();
  return row?.at ?? null;
}

/**
 * Deactivates everyone who is due, with a record of each; how many, by organization. Safe to be called by several nodes.
 * @param audit records a batch, with the ids of the users, right before it is committed; it is called again where the commit fails.
 */
export async function deactivateDue(
  db: Db,
  now: number,
  audit: (org: string, users: number[]) => Promise<void> = async () => {},
): Promise<Map<string, number>> {
  const done = new Map<string, number>();
  for (;;) {
    const due = await db
      .read('users')
      .where('deactivate_at', '<=', now)
      .orderBy('deactivate_at')
      .limit(batchUsers)
      .select('id', 'org_id');
    if (due.length === 0) return done;
    for (const org of new Set(due.map((user) => user.org_id as string))) {
      const ids = due.filter((user) => user.org_id === org).map((user) => user.id as number);
      done.set(org, (done.get(org) ?? 0) + (await deactivate(db, org, ids, now, audit)));
    }
  }
}

export interface Deactivated {
  email: string;
  name: string | null;
  /** The user's `Deactivation Date`, yyyy-mm-dd. */
  date: string | null;
  at: number;
}

/** The organizations with users whom imports have deactivated since a time (ms). */
export async function listOrgsOfDeactivated(db: Queryable, since: number): Promise<string[]> {
  const users = db('users').where({ status: 'deactivated', deactivated_by: 'import' });
  return users.where('deactivated_at', '>=', since).distinct().orderBy('org_id').pluck('org_id');
}

/** Users whose scheduled deactivation took place from `from` to before `to` (ms), and who have not been active again since. */
export async function listDeactivated(db: Queryable, org: string, from: number, to: number): Promise<Deactivated[]> {
  const users = await db('users')
    .where({ org_id: org, status: 'deactivated', deactivated_by: 'import' })
    .where('deactivated_at', '>=', from)
    .where('deactivated_at', '<', to)
    // A run that deactivates users at once has a report of its own.
    .whereExists((query) =>
      query
        .select(db.raw('1'))
        .from('changes as c')
        .where({ 'c.entity': 'user', 'c.field': 'Status', 'c.after': 'deactivated' })
        .whereNull('c.run_id')
        .whereRaw('c.entity_id = CAST(users.id AS TEXT) AND c.at = users.deactivated_at'),
    )
    .orderBy('deactivated_at')
    .orderBy('email_key')
    .select('email', 'user_name', 'first_name', 'last_name', 'deactivation_date', 'deactivated_at');
  return users.map((user) => ({
    email: user.email,
    name: user.user_name ?? ([user.first_name, user.last_name].filter(Boolean).join(' ') || null),
    date: user.deactivation_date,
    at: user.deactivated_at,
  }));
}

async function deactivate(
  db: Db,
  org: string,
  ids: number[],
  now: number,
  audit: (org: string, users: number[]) => Promise<void>,
): Promise<number> {
  return db.transact(async (tx) => {
    // No row of a file says whether a scheduled deactivation has taken place.
    const before = (await bumpVersion(tx, org)) - 1;
    await inScript(tx, (script) => carryKnownRows(script, org, before));
    const users = await tx('users')
      .whereIn('id', ids)
      .where('deactivate_at', '<=', now)
      .forUpdate()
      .select('id', 'status');
    const active = users.filter((user) => user.status === 'active').map((user) => user.id as number);
    await tx('users')
      .whereIn('id', active)
      .update({ status: 'deactivated', deactivated_at: now, deactivated_by: 'import', updated_at: now });
    await tx('users')
      .whereIn(
        'id',
        users.map((user) => user.id),
      )
      .update({ deactivate_at: null });
    const changes = active.map((id) => ({
      org_id: org,
      run_id: null,
      upload_id: null,
      line: null,
      entity: 'user',
      entity_id: String(id),
      field: 'Status',
      before: 'active',
      after: 'deactivated',
      at: now,
    }));
    const mark = await changesMark(tx);
    if (changes.length > 0) await tx.batchInsert('changes', changes, 90);
    await recordDirectoryEvents(tx, org, mark, now);
    if (active.length > 0) await audit(org, active);
    return active.length;
  });
}
