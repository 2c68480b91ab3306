/**
 * Which slots each organization has had. Slots are instants here: whatever an organization's time zone and slot are now,
 * one that began at or before its mark is over, and none is opened twice.
 */
import type { Queryable } from '../connection.js';
import { announceRun } from '../postgres/notices.js';
import { repeatContended } from '../postgres/retry.js';

export interface SlotState {
  /** Slots that began then or earlier are over, in ms; 0: it had none. */
  mark: number;
  /** When a slot began that was not opened before the slots were changed; null: there is none. */
  owed: number | null;
}

/** States of runs that are not over. Its slot waits while an organization has such a run: the run may return its files. */
const unendedStates = ['open', 'running', 'held'];
/** Organizations of one statement: SQLite and PostgreSQL limit the values that it may have. */
const mostIds = 1_000;

/** Of every enabled organization, by its id. */
export async function listSlotStates(db: Queryable): Promise<Map<string, SlotState>> {
  const rows: { id: string; slot_mark: number; slot_owed: number | null }[] = await db('orgs')
    .where({ enabled: 1 })
    .select('id', 'slot_mark', 'slot_owed');
  return new Map(rows.map(({ id, slot_mark, slot_owed }) => [id, { mark: slot_mark, owed: slot_owed }]));
}

/** Of these organizations, in two steps, between which runs may end: those whose queue has files (`waiting`), and those with a run that is not over (`busy`). */
export async function sortDue(
  db: Queryable,
  ids: readonly string[],
): Promise<{ waiting: Set<string>; busy: Set<string> }> {
  const waiting: string[] = [];
  const busy: string[] = [];
  for (const some of parts(ids)) {
    waiting.push(
      ...(await db('uploads').whereIn('org_id', some).where({ state: 'queued' }).distinct().pluck('org_id')),
    );
    busy.push(...(await db('runs').whereIn('org_id', some).whereIn('state', unendedStates).distinct().pluck('org_id')));
  }
  return { waiting: new Set(waiting), busy: new Set(busy) };
}

/**
 * Notes that a slot began for which no file waited: it leaves no run. One condition, and so one snapshot: the end of a run may return its
 * files to the queue since the organizations were sorted.
 */
export async function passSlot(db: Queryable, ids: readonly string[], at: number): Promise<void> {
  for (const some of parts(ids))
    await db('orgs')
      .whereIn('id', some)
      .where('slot_mark', '<', at)
      .whereNotExists(isUnended(db))
      .whereNotExists(db('uploads').select(db.raw('1')).whereRaw('uploads.org_id = orgs.id').where({ state: 'queued' }))
      .update({ slot_mark: at, slot_owed: null });
}

/** A slot: its date and time as the organization has them, and when it begins, in ms. */
export interface SlotTime {
  date: string;
  time: string;
  at: number;
}

/**
 * Opens the run of a slot, once, however many nodes wake. null: it was opened before; or another run of the organization
 * is not over, and the slot is opened after it; or the queue is empty, and the slot is over without a run.
 */
export async function openSlotRun(db: Queryable, org: string, slot: SlotTime, now: number): Promise<number | null> {
  return (await openSlotRuns(db, [org], slot, now)).get(org) ?? null;
}

/** As openSlotRun, of organizations with the same slot: thousands may have it, and each transaction costs a sync. The runs, by organization. */
export async function openSlotRuns(
  db: Queryable,
  orgs: readonly string[],
  slot: SlotTime,
  now: number,
): Promise<Map<string, number>> {
  const opened = new Map<string, number>();
  for (let from = 0; from < orgs.length; from += openedAtOnce) {
    const ids = orgs.slice(from, from + openedAtOnce);
    const rows = await repeatContended(() => openSome(db, ids, slot, now));
    for (const { id, org_id } of rows) opened.set(org_id, id);
  }
  return opened;
}

type Opened = { id: number; org_id: string }[];

function openSome(db: Queryable, ids: readonly string[], slot: SlotTime, now: number): Promise<Opened> {
  return db.transaction(async (tx): Promise<Opened> => {
    // In one order, so that two nodes that wake wait for each other and do not block each other. Rows that only refer to an organization may be
    // added meanwhile; a CLOSE shares it, and is waited for.
    await tx('orgs').whereIn('id', ids).orderBy('id').forNoKeyUpdate().select('id');
    const marked: { id: string }[] = await tx('orgs')
      .whereIn('id', ids)
      .where('slot_mark', '<', slot.at)
      .whereNotExists(isUnended(tx))
      .update({ slot_mark: slot.at, slot_owed: null })
      .returning('id');
    const of = marked.map(({ id }) => id);
    const waiting = new Set(
      await tx('uploads').whereIn('org_id', of).where({ state: 'queued' }).distinct().pluck<string[]>('org_id'),
    );
    const run = { kind: 'slot', slot_date: slot.date, slot_time: slot.time, state: 'open', opened_at: now };
    const runs = ids.filter((id) => waiting.has(id)).map((id) => ({ org_id: id, ...run }));
    if (runs.length === 0) return [];
    await announceRun(tx);
    return tx('runs').insert(runs).returning(['id', 'org_id']);
  });
}

/** As few as one statement takes on each database, and hold the writer for a moment. */
const openedAtOnce = 100;

/** Before an organization's slots change: one that has begun and is not over is opened all the same. */
export async function oweSlot(tx: Queryable, org: string, at: number): Promise<void> {
  await tx('orgs')
    .where({ id: org, enabled: 1 })
    .where('slot_mark', '<', at)
    .where('slots_from', '<=', at)
    .update({ slot_owed: at });
}

/** When an organization is enabled: slots from before are over. */
export async function forgetOwedSlot(tx: Queryable, org: string): Promise<void> {
  await tx('orgs').where({ id: org }).update({ slot_owed: null });
}

/** How far the clocks of nodes may differ. */
const toleranceMs = 60_000;

/**
 * After the clock was ahead: slots that were opened or passed then have not begun yet, and will be opened at their time.
 * @param from until when slots were opened by the right clock, in ms.
 * @returns how many organizations had such slots
 */
export async function resetMarks(db: Queryable, from: number, now: number): Promise<number> {
  const ahead = now + toleranceMs;
  const columns = ['slot_mark', 'slot_owed', 'slots_from', 'expect_from'];
  const isAhead = db('orgs').where((any) => columns.reduce((query, name) => query.orWhere(name, '>', ahead), any));
  if ((await isAhead.first('id')) === undefined) return 0;
  const changed = await db('orgs')
    .where('slot_mark', '>', ahead)
    .update({ slot_mark: Math.min(from, now) });
  await db('orgs').where('slot_owed', '>', ahead).update({ slot_owed: null });
  await db('orgs').where('slots_from', '>', ahead).update({ slots_from: now });
  await db('orgs').where('expect_from', '>', ahead).update({ expect_from: now });
  return changed;
}

/**
 * Organizations whose files are imported as they come, and that have some that no run has failed on; when the first and the
 * last were queued, in ms. A file that a held run gave back, since another of its files was replaced or taken back, counts from then.
 */
export async function listUploadDue(db: Queryable): Promise<{ org: string; oldestAt: number; newestAt: number }[]> {
  const overtaken = db('runs')
    .where({ state: 'superseded' })
    .whereRaw('runs.org_id = uploads.org_id')
    .max('finished_at');
  const rows: { org_id: string; oldest: number; newest: number; overtaken: number | null }[] = await db('uploads')
    .join('orgs', 'orgs.id', 'uploads.org_id')
    .where({ state: 'queued', enabled: 1 })
    .whereNull('run_id')
    .whereLike('orgs.options', '%"cadence":"on-upload"%')
    .groupBy('org_id')
    .select('org_id', overtaken.as('overtaken'))
    .min({ oldest: 'queued_at' })
    .max({ newest: 'queued_at' });
  return rows.map(({ org_id, oldest, newest, overtaken }) => ({
    org: org_id,
    oldestAt: Math.max(oldest, overtaken ?? 0),
    newestAt: Math.max(newest, overtaken ?? 0),
  }));
}

/**
 * Opens a run for files that no run has failed on; null: there are none, or another run of the organization is not over.
 * Files of a failed run wait for the next slot.
 */
export async function openUploadRun(db: Queryable, org: string, now: number): Promise<number | null> {
  const open = async (tx: Queryable) => {
    await tx('orgs').where({ id: org }).forNoKeyUpdate().first('id');
    if ((await tx('runs').where({ org_id: org }).whereIn('state', unendedStates).first('id')) !== undefined)
      return null;
    const fresh = tx('uploads').where({ org_id: org, state: 'queued' }).whereNull('run_id');
    if ((await fresh.first('id')) === undefined) return null;
    const [row] = await tx('runs')
      .insert({ org_id: org, kind: 'upload', slot_date: null, state: 'open', opened_at: now })
      .returning('id');
    await announceRun(tx);
    return row.id;
  };
  return repeatContended(() => db.transaction(open));
}

function isUnended(db: Queryable) {
  return db('runs').select(db.raw('1')).whereRaw('runs.org_id = orgs.id').whereIn('state', unendedStates);
}

function* parts(ids: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < ids.length; at += mostIds) yield ids.slice(at, at + mostIds);
}
