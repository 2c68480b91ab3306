/**
 * The outbox of the directory: a compact row for each changed user, team or new field, written at the end of the transaction that
 * changes them. Names and values are read when an event is delivered, so that erasing a person erases them from events too.
 */

import { randomBytes } from 'node:crypto';
import type { Queryable } from '../connection.js';
import { newEventId, timePrefix } from '../control/eventrows.js';
import { type EventFilter, limitEvents, listNews, type News, removeOldest } from '../control/events.js';
import { dialectOf } from '../dialect.js';
import { runLater } from '../script.js';

export interface DirectoryEvent {
  seq: number;
  id: string;
  org: string;
  type: string;
  entity: 'user' | 'team' | 'field';
  entityId: string;
  run: number | null;
  at: number;
}

/** Where the changes of a transaction begin: read before its first change. */
export async function changesMark(tx: Queryable): Promise<number> {
  const row = await tx('changes').max({ last: 'id' }).first();
  return Number(row?.last ?? 0);
}

/** Changes by their ids: after the first one, up to the second one. */
export interface ChangeRange {
  after: number;
  upTo: number;
}

/** The users that a plan creates: their events are written from the plan, since it costs more to read their changes again. */
export interface CreatedUsers {
  /** SQL: `n` (1, 2, …, with gaps), `id`, `status` and `deactivate_at` of each. */
  rows: string;
  runId: number;
  /** Changes of no one else, which need not be read; null: few. */
  changes: ChangeRange | null;
}

/**
 * Writes the events of all changes of the organization since the mark, with the next query or the COMMIT. Call it as the last write of the
 * transaction: on PostgreSQL it locks the outbox until the commit, so that the numbers have the order of the commits. A transaction
 * changes one organization, and no other one changes it at the same time (`bumpVersion`).
 * @param created all users that the transaction creates, where a plan has them.
 */
export async function recordDirectoryEvents(
  tx: Queryable,
  org: string,
  mark: number,
  at: number,
  created: CreatedUsers | null = null,
): Promise<void> {
  const isPostgres = dialectOf(tx) === 'postgres';
  if (isPostgres) await tx('event_head').where({ id: 1 }).update({ locked: 1 });
  // The last ten characters count up with the changes and new users, so that no two events have the same ones, also where two
  // transactions begin at the same mark. As for newEventId, the index of the ids grows at its end.
  const suffix = (number: string) => (isPostgres ? `lpad(to_hex(${number}), 10, '0')` : `printf('%010x', ${number})`);
  const columns = 'INSERT INTO events (id, org_id, type, entity, entity_id, run_id, at)';
  const bindings = { mark, org, at, prefix: `evt_${timePrefix(at)}${randomBytes(2).toString('hex')}` };
  if (created !== null)
    await runLater(
      tx,
      `${columns}
       WITH k (n, type) AS (VALUES (5, 'user.created'), (6, 'user.deactivated'), (7, 'user.deactivation_scheduled'))
       SELECT :prefix || ${suffix('CAST(x.id AS BIGINT) * 8 + k.n')}, :org, k.type, 'user', CAST(x.id AS TEXT), CAST(:run AS BIGINT), CAST(:at AS BIGINT)
       FROM (${created.rows}) x CROSS JOIN k
       WHERE CASE k.n WHEN 5 THEN 1 = 1 WHEN 6 THEN x.status = 'deactivated' ELSE x.deactivate_at IS NOT NULL END
       ORDER BY x.n${isPostgres ? ', k.n' : ''}`,
      { ...bindings, run: created.runId },
    );
  // Else SQLite reads all changes that there ever were, in the order of their index, to spare itself a sort of the new ones.
  const from = isPostgres ? 'changes c' : 'changes c NOT INDEXED';
  for (const groups of [creations(from, created), laterChanges(from, created)])
    await runLater(
      tx,
      `${columns}
       WITH ${groups},
       k (n, name) AS (VALUES (0, 'created'), (1, 'updated'), (2, 'reactivated'), (3, 'deactivated'), (4, 'deactivation_scheduled'))
       SELECT :prefix || ${suffix('g.first * 8 + k.n')}, :org, g.entity || '.' || k.name, g.entity, g.entity_id, g.run_id, CAST(:at AS BIGINT)
       FROM g LEFT JOIN users u ON g.entity = 'user' AND u.id = CASE WHEN g.entity = 'user' THEN CAST(g.entity_id AS BIGINT) END
       CROSS JOIN k
       WHERE CASE k.n
         WHEN 0 THEN g.created = 1
         WHEN 1 THEN g.created = 0 AND g.entity <> 'field' AND (g.updated = 1 OR (g.dated = 1 AND g.deactivated + g.reactivated = 0
           AND u.deactivate_at IS NULL))
         WHEN 2 THEN g.entity = 'user' AND g.reactivated = 1
         WHEN 3 THEN g.entity = 'user' AND CASE g.created WHEN 0 THEN g.deactivated = 1 WHEN 1 THEN u.status = 'deactivated'
           ELSE g.deactivated = 1 AND u.status = 'active' END
         ELSE g.entity = 'user' AND g.dated = 1 AND u.deactivate_at IS NOT NULL END
       ORDER BY g.first, k.n`,
      bindings,
    );
}

/** SQL: each creation, but those of users that a plan has. `created`: 1. They need no grouping. */
function creations(from: string, created: CreatedUsers | null): string {
  const creation = (range: string) =>
    `SELECT entity, entity_id, id AS first, run_id, 1 AS created, 0 AS deactivated, 0 AS reactivated, 1 AS dated, 0 AS updated
     FROM ${from} WHERE ${range} AND c.org_id = :org AND c.field = '' ${created === null ? '' : "AND c.entity <> 'user'"}`;
  return `g AS (${rangesOf(created).map(creation).join(' UNION ALL ')})`;
}

/** SQL: the changes to read, as disjoint ranges. */
function rangesOf(created: CreatedUsers | null): string[] {
  const range = created?.changes ?? null;
  if (range === null) return ['c.id > :mark'];
  return [`c.id > :mark AND c.id <= ${range.after}`, `c.id > ${range.upTo}`];
}

/**
 * SQL: `g` has each user and team with other changes. `created`: 2 for one of the same transaction, of which only its status counts, else
 * 0. Ids count up, so that those of an organization from its first new one on are new.
 */
function laterChanges(from: string, created: CreatedUsers | null): string {
  const id = "CASE WHEN c.entity <> 'field' THEN CAST(c.entity_id AS BIGINT) END";
  // New users come before all later changes.
  const isOurs = `${rangesOf(created).at(-1)} AND c.org_id = :org AND c.entity <> 'field'`;
  const is = (condition: string) => `MAX(CASE WHEN ${condition} THEN 1 ELSE 0 END)`;
  const ofPlan =
    created === null
      ? ''
      : `UNION ALL SELECT 'user', one.id FROM (SELECT x.id FROM (${created.rows}) x ORDER BY x.n LIMIT 1) one`;
  const ofChanges = created === null ? '' : "AND c.entity <> 'user'";
  return `born AS (SELECT c.entity, MIN(${id}) AS first FROM ${from} WHERE ${isOurs} AND c.field = '' ${ofChanges} GROUP BY c.entity ${ofPlan}),
    g AS (SELECT c.entity, c.entity_id, MIN(c.id) AS first, MAX(c.run_id) AS run_id, ${is(`${id} >= b.first`)} * 2 AS created,
        ${is("c.field = 'Status' AND c.after = 'deactivated'")} AS deactivated, ${is("c.field = 'Status' AND c.after = 'active'")} AS reactivated,
        ${is("c.field = 'Deactivation Date'")} AS dated, ${is("c.field NOT IN ('Status', 'Deactivation Date')")} AS updated
      FROM ${from} LEFT JOIN born b ON b.entity = c.entity
      WHERE ${isOurs} AND c.field <> '' AND (b.first IS NULL OR ${id} < b.first OR c.field = 'Status')
      GROUP BY c.entity, c.entity_id)`;
}

/** Writes the event of a person who was erased: by the id alone, the rest of the person is gone. */
export async function recordErased(tx: Queryable, org: string, userId: number, at: number): Promise<void> {
  if (dialectOf(tx) === 'postgres') await tx('event_head').where({ id: 1 }).update({ locked: 1 });
  const id = newEventId(at);
  const of = { entity: 'user', entity_id: String(userId), run_id: null };
  await tx('events').insert({ id, org_id: org, type: 'user.erased', ...of, at });
}

/** The number of the last event; 0: there is none. */
export async function lastDirectoryEvent(db: Queryable): Promise<number> {
  const row = await db('events').max({ last: 'seq' }).first();
  return Number(row?.last ?? 0);
}

/** The number of the last event of a run; 0: it has none. */
export async function lastEventOfRun(db: Queryable, run: number): Promise<number> {
  const row = await db('events').where({ run_id: run }).max({ last: 'seq' }).first();
  return Number(row?.last ?? 0);
}

/** Oldest first: those after `after` up to `to`. */
export async function readDirectoryEvents(
  db: Queryable,
  { after, to, limit }: { after: number; to: number; limit: number },
  filter: EventFilter = {},
): Promise<DirectoryEvent[]> {
  const query = db('events').where('seq', '>', after).where('seq', '<=', to).orderBy('seq').limit(limit);
  limitEvents(query, filter);
  return (await query).map(toEvent);
}

/** The organizations and types of the events after `after` up to `to`. */
export function listDirectoryNews(db: Queryable, after: number, to: number): Promise<News[]> {
  return listNews(db, after, to);
}

/** The last `count`, the newest first. */
export async function readLastDirectoryEvents(db: Queryable, count: number): Promise<DirectoryEvent[]> {
  return (await db('events').orderBy('seq', 'desc').limit(count)).map(toEvent);
}

/** null: there is no such event, or not any more. */
export async function findDirectoryEvent(db: Queryable, id: string): Promise<DirectoryEvent | null> {
  const row = await db('events').where({ id }).first();
  return row === undefined ? null : toEvent(row);
}

/** Removes events from before `before` (ms), and up to `to`; at most `limit`. Returns how many. */
export async function removeDirectoryEvents(db: Queryable, before: number, to: number, limit: number): Promise<number> {
  return removeOldest(db, before, to, limit);
}

/** A change of an entity, as an event tells it. */
export interface EventChange {
  entity: string;
  entityId: string;
  /** '': its creation, whose `after` is JSON of the values by label. */
  field: string;
  before: string | null;
  after: string | null;
}

/** The changes behind these events, in the order that they were recorded in. */
export async function readEventChanges(db: Queryable, events: readonly DirectoryEvent[]): Promise<EventChange[]> {
  const keys = [...new Map(events.map((one) => [`${one.entity} ${one.entityId} ${one.at}`, one])).values()];
  if (keys.length === 0) return [];
  const rows = await db('changes')
    .whereIn(
      ['entity', 'entity_id', 'at'],
      keys.map(({ entity, entityId, at }) => [entity, entityId, at]),
    )
    .orderBy('id')
    .select('entity', 'entity_id', 'field', 'before', 'after', 'run_id', 'at');
  const runOf = new Map(keys.map(({ entity, entityId, at, run }) => [`${entity} ${entityId} ${at}`, run]));
  return rows
    .filter((row) => runOf.get(`${row.entity} ${row.entity_id} ${row.at}`) === row.run_id)
    .map(({ entity, entity_id: entityId, field, before, after }) => ({ entity, entityId, field, before, after }));
}

/** The users of these ids, as they are now. */
export async function readUsersById(
  db: Queryable,
  ids: readonly string[],
): Promise<Map<string, { email: string; name: string | null; status: string }>> {
  const rows = await readByIds(ids, (some) =>
    db('users').whereIn('id', some).select('id', 'email', 'user_name', 'first_name', 'last_name', 'status'),
  );
  return new Map(
    rows.map((row) => [
      String(row.id),
      {
        email: row.email,
        name: row.user_name ?? ([row.first_name, row.last_name].filter(Boolean).join(' ') || null),
        status: row.status,
      },
    ]),
  );
}

/** The names of teams, and the labels of fields, by their ids. */
export async function readNamesById(
  db: Queryable,
  table: 'teams' | 'fields',
  ids: readonly string[],
): Promise<Map<string, string>> {
  const column = table === 'teams' ? 'name' : 'label';
  const rows = await readByIds(ids, (some) => db(table).whereIn('id', some).select('id', column));
  return new Map(rows.map((row) => [String(row.id), row[column]]));
}

/** A database takes a bounded number of values in one statement. */
const mostIds = 1_000;

/** Each id once, however often it is named. */
async function readByIds<Row>(
  ids: readonly string[],
  read: (some: readonly string[]) => PromiseLike<Row[]>,
): Promise<Row[]> {
  const each = [...new Set(ids)];
  const rows: Row[] = [];
  for (let from = 0; from < each.length; from += mostIds) rows.push(...(await read(each.slice(from, from + mostIds))));
  return rows;
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function toEvent(row: any): DirectoryEvent {
  const { seq, id, org_id: org, type, entity, entity_id: entityId, run_id: run, at } = row;
  return { seq, id, org, type, entity, entityId, run, at };
}
