/** Erases a person from the directory: the user, all that refers to the user, and each mention in the record of changes. */

import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';
import { dialectOf } from '../dialect.js';
import { changesMark, recordDirectoryEvents, recordErased } from './events.js';
import { forgetOrigins } from './fieldorigins.js';
import { recordChanges } from './history.js';

/** What stands in a record of changes in place of an erased address: no user has it. */
export const erasedMark = '(erased)';

/** A user's addresses and names, which other places may have. */
export interface Traces {
  id: number;
  /** Compared forms: the present one first, then former ones that no other user has. */
  addresses: string[];
  /** `User Name`, present and past. */
  names: string[];
}

/** null: there is no such user. @param which the compared address, or the id. @param keyOf the compared form of an address. */
export async function findTraces(
  db: Queryable,
  org: string,
  which: { email_key: string } | { id: number },
  keyOf: (email: string) => string,
): Promise<Traces | null> {
  const user = await db('users')
    .where({ org_id: org, ...which })
    .first();
  if (user === undefined) return null;
  const emailKey: string = user.email_key;
  const changes: { field: string; before: string | null; after: string | null }[] = await db('changes')
    .where({ org_id: org, entity: 'user', entity_id: String(user.id) })
    .select('field', 'before', 'after');
  const moved = changes.filter(({ field }) => field === 'User Email').flatMap(({ before, after }) => [before, after]);
  const created = changes.filter(({ field }) => field === '').map(({ after }) => JSON.parse(after ?? '{}'));
  const formers: string[] = await db('former_emails').where({ org_id: org, user_id: user.id }).pluck('email_key');
  const former = [...moved, ...created.map((values) => values['User Email']), ...formers]
    .filter((email) => typeof email === 'string')
    .map((email) => keyOf(email as string));
  const others = new Set<string>([
    ...(await db('users')
      .where({ org_id: org })
      .whereIn('email_key', former)
      .whereNot({ id: user.id })
      .pluck('email_key')),
    ...(await db('former_emails')
      .where({ org_id: org })
      .whereIn('email_key', former)
      .whereNot({ user_id: user.id })
      .pluck('email_key')),
  ]);
  const names = [
    ...[user.user_name, ...created.map((values) => values['User Name'])],
    ...changes.filter(({ field }) => field === 'User Name').flatMap(({ before, after }) => [before, after]),
  ];
  return {
    id: user.id,
    addresses: [...new Set([emailKey, ...former])].filter((email) => email === emailKey || !others.has(email)),
    names: [...new Set(names.filter((name): name is string => typeof name === 'string'))],
  };
}

export interface ErasedFromDirectory {
  /** Recorded changes that were deleted, and those in which the address was replaced. */
  changes: number;
  mentions: number;
  /** Users who had this one as their manager, and teams that had it as their owner. */
  reports: number;
  teams: number;
}

/**
 * Deletes the user, and replaces the addresses wherever else the organization's directory has them. Joins the caller's
 * transaction, which has counted the write (`bumpVersion`), and voids known rows.
 * @param traces null: only the addresses are replaced.
 * @param ownerKey compared address of the organization's owner, who gets the teams.
 * @param texts that the redactor replaces too, in custom fields.
 * @param redact replaces every mention in a value of a field; '' is the record of a creation.
 */
export async function eraseFromDirectory(
  tx: Queryable,
  org: string,
  {
    traces,
    addresses,
    texts,
    ownerKey,
    redact,
    at,
  }: {
    traces: Traces | null;
    addresses: readonly string[];
    texts: readonly string[];
    ownerKey: string;
    redact: (text: string, label: string) => string;
    at: number;
  },
): Promise<ErasedFromDirectory> {
  await tx('known_rows').where({ org_id: org }).delete();
  await tx('known_files').where({ org_id: org }).delete();
  const erased: ErasedFromDirectory = { changes: 0, mentions: 0, reports: 0, teams: 0 };
  if (traces !== null) await deleteUser(tx, org, traces.id, ownerKey, at, erased);
  const sought = [...addresses, ...texts];
  erased.mentions += await redactChanges(tx, org, sought, redact);
  erased.mentions += await redactCustom(tx, org, sought, redact);
  return erased;
}

async function deleteUser(
  tx: Queryable,
  org: string,
  id: number,
  ownerKey: string,
  at: number,
  erased: ErasedFromDirectory,
): Promise<void> {
  const reports: number[] = await tx('users').where({ org_id: org, manager_id: id }).pluck('id');
  const teams: number[] = await tx('teams').where({ org_id: org, owner_id: id }).pluck('id');
  const owner = await tx('users').where({ org_id: org, email_key: ownerKey }).first('id');
  const change = { org, before: erasedMark, at };
  const mark = await changesMark(tx);
  await recordChanges(tx, [
    ...reports.map((report) => ({
      ...{ ...change, entity: 'user' as const, entityId: String(report) },
      ...{ field: 'Manager Email', after: null },
    })),
    ...teams.map((team) => ({
      ...{ ...change, entity: 'team' as const, entityId: String(team) },
      ...{ field: 'Owner Email', after: ownerKey },
    })),
  ]);
  await tx('users').where({ org_id: org, manager_id: id }).update({ manager_id: null, updated_at: at });
  await tx('teams')
    .where({ org_id: org, owner_id: id })
    .update({ owner_id: owner?.id ?? null, updated_at: at });
  await tx('schedules_before').where({ user_id: id }).delete();
  await tx('former_emails').where({ user_id: id }).delete();
  await tx('memberships').where({ user_id: id }).delete();
  await forgetOrigins(tx, { org, entity: 'user', entityId: id });
  erased.changes = await tx('changes')
    .where({ org_id: org, entity: 'user', entity_id: String(id) })
    .delete();
  await tx('users').where({ id }).delete();
  await recordDirectoryEvents(tx, org, mark, at);
  await recordErased(tx, org, id, at);
  Object.assign(erased, { reports: reports.length, teams: teams.length });
}

const pageRows = 1000;

async function redactChanges(
  tx: Queryable,
  org: string,
  sought: readonly string[],
  redact: (text: string, label: string) => string,
): Promise<number> {
  let redacted = 0;
  for (let after = 0; ; ) {
    const page = await tx('changes')
      .where({ org_id: org })
      .where('id', '>', after)
      .where((either) => {
        for (const text of sought) {
          mentions(either, 'before', text);
          mentions(either, 'after', text);
        }
      })
      .orderBy('id')
      .limit(pageRows);
    for (const { id, field, before: was, after: became } of page) {
      const left = (value: string | null) => (value === null ? null : redact(value, field));
      const change = { before: left(was), after: left(became) };
      if (change.before === was && change.after === became) continue;
      await tx('changes').where({ id }).update(change);
      redacted++;
    }
    if (page.length < pageRows) return redacted;
    after = page.at(-1)!.id;
  }
}

/** A custom field of another user that is the address has no value any more. */
async function redactCustom(
  tx: Queryable,
  org: string,
  sought: readonly string[],
  redact: (text: string, label: string) => string,
): Promise<number> {
  const column = dialectOf(tx) === 'postgres' ? 'CAST(custom AS TEXT)' : 'custom';
  const found = await tx('users')
    .where({ org_id: org })
    .where((either) => {
      for (const text of sought) mentions(either, column, text);
    })
    .select('id', 'custom');
  let redacted = 0;
  for (const { id, custom } of found) {
    const before: Record<string, string> = typeof custom === 'string' ? JSON.parse(custom) : custom;
    const after = Object.fromEntries(
      Object.entries(before)
        .map(([field, value]) => [field, redact(value, `custom ${field}`)] as const)
        .filter(([, value]) => value !== erasedMark),
    );
    if (JSON.stringify(after) === JSON.stringify(before)) continue;
    await tx('users')
      .where({ id })
      .update({ custom: JSON.stringify(after) });
    redacted++;
  }
  return redacted;
}

/** Rows that may mention the text: `redact` decides. SQLite knows the case of ASCII letters only, and JSON escapes others. */
function mentions(query: Knex.QueryBuilder, column: string, text: string): void {
  const pattern = `%${text.toLowerCase().replace(/[^a-z0-9@.+-]+/g, '%')}%`;
  query.orWhereRaw(`LOWER(${column}) LIKE ? ESCAPE '\\'`, [pattern]);
}
