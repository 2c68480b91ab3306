/**
 * A move between SQLite and PostgreSQL that is killed again and again, at each of its steps and inside the copies of tables, beside a server
 * that takes files: each repetition goes on with the rows that are there, and the old installation works until the switch.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openWorkplace } from '../../app/compose.js';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { halfNames } from '../../db/connection.js';
import { digestTable } from '../../db/move/fill.js';
import { listCommonTables } from '../../db/move/tables.js';
import type { MoveReport } from '../../operations/move/move.js';
import { createDatabase } from '../support/databases.js';
import { runDropslot, type Served } from '../support/program.js';
import type { Scope } from '../support/temporary.js';
import {
  atClient,
  type Bench,
  type Kill,
  migrate,
  migrateAndDie,
  prepareBench,
  requireImported,
  requireWhole,
  sendFiles,
  serve,
  takeWritten,
  timeoutMs,
} from './moving.js';

type Name = 'sqlite' | 'postgres';

interface Step extends Kill {
  /** The server of the old databases: it takes a file, it ends by itself, or it has ended. */
  old: 'works' | 'ends' | 'ended';
}

const users = 3500;
/** Of them, before the way back. */
const changed = 2500;
const added = 2300;

/** In their order: each move goes on where the one before was killed. A table's copy is of several statements. */
function stepsOf(from: Name, to: Name): Step[] {
  const commit = (side: Name) => `^${side} COMMIT`;
  const recorded = `^${from} select .count. as .seq.`;
  const switched = `^${from} insert into .moves.`;
  const readUsers = from === 'sqlite' ? '^sqlite select . from .users.' : '^postgres FETCH 1000 FROM .move_users';
  const [trigger, function_] = [
    '^sqlite DROP TRIGGER .dropslot_moved',
    '^postgres DROP FUNCTION IF EXISTS dropslot_moved',
  ];
  const numbers = to === 'sqlite' ? '^sqlite insert into .sqlite_sequence.' : '^postgres SELECT setval';
  const removed = (table: string): Step[] =>
    to === 'sqlite'
      ? [
          {
            name: `${table}: rows are removed`,
            at: `^sqlite delete from .${table}. where`,
            count: 2,
            when: 'after',
            old: 'works',
          },
        ]
      : [];
  const copied = (table: string, when: Kill['when']): Step => ({
    ...{ name: `${table}: rows are written`, at: `^${to} INSERT INTO "${table}"`, count: 2, when, old: 'works' },
  });
  return [
    { name: 'marked', since: `^${to} insert into .moves.`, at: commit(to), when: 'after', old: 'works' },
    {
      name: 'some tables have notes',
      at: `^${from} CREATE TRIGGER "dropslot_changed`,
      count: 30,
      when: 'after',
      old: 'works',
    },
    copied('changes', 'before'),
    copied('changes', 'after'),
    copied('memberships', 'after'),
    ...removed('users'),
    copied('users', 'before'),
    copied('users', 'after'),
    { name: 'compared', at: readUsers, count: 8, when: 'after', old: 'works' },
    { name: 'recorded', since: recorded, at: commit(from), when: 'after', old: 'works' },
    {
      name: 'held',
      since: recorded,
      at: from === 'sqlite' ? '^sqlite BEGIN' : '^postgres LOCK',
      count: 2,
      when: 'after',
      old: 'works',
    },
    { name: 'filled', since: numbers, at: commit(to), when: 'after', old: 'works' },
    {
      name: 'some tables refuse writes',
      at: `^${from} CREATE TRIGGER .?dropslot_moved`,
      count: 20,
      when: 'after',
      old: 'works',
    },
    { name: 'before the switch', since: switched, at: commit(from), when: 'before', old: 'works' },
    {
      name: 'the directory is switched, and the control database is not',
      since: switched,
      at: commit(from),
      when: 'after',
      old: 'works',
    },
    { name: 'after the switch', since: switched, at: commit(from), count: 2, when: 'after', old: 'ends' },
    {
      name: 'the new directory is released',
      since: to === 'sqlite' ? trigger : function_,
      at: commit(to),
      when: 'after',
      old: 'ended',
    },
    { name: 'released', since: `^${to} delete from .moves.`, at: commit(to), when: 'after', old: 'ended' },
    { name: 'before the settings', at: '^rename .*/dropslot.json$', when: 'before', old: 'ended' },
  ];
}

/** Kills the move at each step, one after the other, and lets the last one come to its end. */
async function moveWithKills(
  scope: Scope,
  bench: Bench,
  from: Settings,
  to: string,
): Promise<{ report: MoveReport; written: ReturnType<typeof takeWritten> }> {
  const server = await serve(scope, bench, '--role', 'intake');
  takeWritten(bench);
  const names: readonly Name[] = from.database === 'sqlite' ? ['sqlite', 'postgres'] : ['postgres', 'sqlite'];
  const steps = stepsOf(names[0]!, names[1]!);
  for (const [number, step] of steps.entries()) {
    await migrateAndDie(bench, ['--to', to], step);
    await requireOld(bench, server, from, step, `${names[1]}${number}`);
  }
  const report = await migrate<MoveReport>(bench, ['--to', to]);
  const again = await runDropslot(['migrate', '--to', to, '--yes'], { data: bench.data, timeoutMs });
  assert.match(again.stderr, /the settings name this database already/);
  return { report, written: takeWritten(bench) };
}

async function requireOld(
  bench: Bench,
  server: Served,
  from: Settings,
  { name, old }: Step,
  file: string,
): Promise<void> {
  if (old === 'works') {
    await sendFiles(bench, server, [file]).catch((cause) => assert.fail(`${name}: ${cause.message}`));
    const place = await openWorkplace(from);
    const found = await place.directory.read('users').first('id').finally(place.close);
    assert.notEqual(found, undefined, name);
  } else if (old === 'ends') {
    await Promise.race([server.exited, sleep(timeoutMs, null, { ref: false })]);
    assert.equal(await server.stop('SIGKILL'), 5, `${name}: the server has ended by itself`);
  }
}

/** The report has every table of both databases, as they are: read anew. */
async function requireEqual({ tables, rows }: MoveReport, from: Settings, to: Settings): Promise<void> {
  const told = tables.map(({ database, table, ...digest }) => [database, table, digest]);
  const places = [await openWorkplace(from, { evenMoved: true }), await openWorkplace(to)] as const;
  const found: unknown[][] = [[], []];
  try {
    for (const half of halfNames)
      for (const table of await listCommonTables(places[0][half].read, places[1][half].read))
        for (const [number, place] of places.entries())
          found[number]!.push([half, table.name, await digestTable(place[half].read, table)]);
  } finally {
    for (const place of places) await place.close();
  }
  assert.deepEqual(found, [told, told]);
  assert.equal(rows, sum(tables.map((table) => table.rows)));
}

async function importFile(scope: Scope, bench: Bench, rows: readonly string[]): Promise<void> {
  const server = await serve(scope, bench);
  const text = `User Email,User Name,Teams\n${rows.join('')}`;
  await atClient(bench, server.port, (client) => client.put(Buffer.from(text), '/users.csv'));
  const imported = await runDropslot(['import', 'acme'], { data: bench.data, timeoutMs });
  assert.equal(imported.code, 0, imported.stderr);
  await server.stop();
}

const rowsOf = (from: number, to: number, name: string) =>
  Array.from({ length: to - from }, (_, n) => `p${from + n}@acme.test,${name} ${from + n},Team ${(from + n) % 7}\n`);

/** Of more rows than one statement has. */
const several = ['users', 'memberships', 'changes'];

const rowsIn = ({ tables }: MoveReport, name: string) => tables.find(({ table }) => table === name)!.rows;

const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);

test('killed at each step and inside the copies of tables, there and back', async (t) => {
  const bench = await prepareBench(t, {});
  const { data } = bench;
  const database = await createDatabase(t);
  const url = join(data, 'url');
  writeFileSync(url, database, { mode: 0o600 });
  const [onSqlite, onPostgres] = [settingsSchema.parse({ data }), settingsSchema.parse({ data, database })];
  await importFile(t, bench, rowsOf(0, users, 'Ann'));

  const there = await moveWithKills(t, bench, onSqlite, `file:${url}`);
  await requireEqual(there.report, onSqlite, onPostgres);
  for (const table of several) {
    const inserts = there.written('insert', table);
    assert.ok(inserts.length > 3, `${table}: ${inserts}`);
    assert.equal(sum(inserts), rowsIn(there.report, table), `${table}: each row is written once`);
    assert.deepEqual(there.written('delete', table), [], `${table}: no row that was there is removed`);
  }

  await importFile(t, bench, [...rowsOf(0, changed, 'Bo'), ...rowsOf(users, users + added, 'Cy')]);
  const back = await moveWithKills(t, bench, onPostgres, 'sqlite');
  await requireEqual(back.report, onPostgres, onSqlite);
  for (const table of several) {
    const [inserts, deletes] = [back.written('insert', table), back.written('delete', table)];
    const more = rowsIn(back.report, table) - rowsIn(there.report, table);
    assert.equal(sum(inserts), more + sum(deletes), `${table}: each row is written once`);
    if (table === 'users') assert.equal(sum(deletes), changed, 'no row that was equal is removed');
  }

  const server = await serve(t, bench);
  await requireImported(bench, users + added);
  await server.stop();
  await requireWhole(bench);
});
