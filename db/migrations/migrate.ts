/** Applies the migrations that a database lacks, through knex, safely when several processes start at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Knex } from 'knex';
import { DatabaseError } from '../error.js';
import { readSchemaLevel, schemaLevel } from './level.js';

/** Migrations only append: a released one never changes. */
export interface Migration {
  name: string;
  up(knex: Knex): Promise<void>;
}

/** The migrations of a database, which are loaded only where it lacks one. */
export interface MigrationList {
  names: readonly string[];
  load(): Promise<readonly Migration[]>;
}

/** knex's own name for it. */
const lockTable = 'knex_migrations_lock';
const waitMs = 200;
const attempts = 300;

/** On SQLite: a lock that ends with its process; null: another process has it. */
export type TakeTurn = () => Promise<{ release(): Promise<void> } | null>;

export async function migrate(knex: Knex, list: MigrationList, takeTurn: TakeTurn): Promise<void> {
  const config: Knex.MigratorConfig = {
    // Those of a newer version, which works on the same database, are not in the list.
    disableMigrationsListValidation: true,
    migrationSource: {
      getMigrations: async () => [...(await list.load())],
      getMigrationName: (migration: Migration) => migration.name,
      getMigration: async (migration: Migration) => ({ up: migration.up, down: refuseDown }),
    },
  };
  for (let attempt = 1; ; attempt++) {
    try {
      if (!(await isPending(knex, list.names))) return;
      await alone(knex, takeTurn, () => knex.migrate.latest(config));
      return;
    } catch (error) {
      // Another process is migrating: knex's lock row, or the tables it is just creating.
      if (attempt >= attempts || !isContention(error)) throw error;
      await sleep(waitMs);
    }
  }
}

/**
 * Two that make knex's table of locks at once may each put a row into it, and knex finds it locked ever after: so it is made
 * here, with its row, in one transaction. On PostgreSQL `migrate` takes a second connection besides; where the pool has but
 * one, the lock belongs to that connection in place of a transaction, and ends with it too.
 */
async function alone(knex: Knex, takeTurn: TakeTurn, migrate: () => Promise<unknown>): Promise<void> {
  if (knex.client.dialect !== 'postgresql') {
    const turn = await takeTurn();
    if (turn === null) throw new Contention();
    try {
      await knex.transaction(makeLockTable);
      await freeLock(knex);
      await migrate();
    } finally {
      await turn.release();
    }
    return;
  }
  if (knex.client.config.pool.max < 2) {
    await knex.raw(`SELECT pg_advisory_lock(${lockNumber})`);
    try {
      await freeLock(knex);
      await migrate();
    } finally {
      // A connection that is broken has lost it.
      await knex.raw(`SELECT pg_advisory_unlock(${lockNumber})`).catch(() => {});
    }
    return;
  }
  await knex.transaction(async (tx) => {
    // It waits for the migrations, which may take long.
    await tx.raw('SET LOCAL idle_in_transaction_session_timeout = 0');
    await tx.raw(`SELECT pg_advisory_xact_lock(${lockNumber})`);
    await freeLock(knex);
    await migrate();
  });
}

const lockNumber = 'hashtext(current_schema())';

/** Another process is migrating. */
class Contention extends Error {
  override name = 'MigrationLocked';
}

/** Whoever migrates holds a lock that ends with its process: the row of one that was killed still says that it is locked. */
async function freeLock(knex: Knex): Promise<void> {
  if (await knex.schema.hasTable(lockTable)) await knex(lockTable).where({ is_locked: 1 }).update({ is_locked: 0 });
}

/** The table as knex makes it. Of two that make it, one waits (SQLite) or fails as contention (PostgreSQL). */
async function makeLockTable(tx: Knex): Promise<void> {
  if (await tx.schema.hasTable(lockTable)) return;
  await tx.schema.createTable(lockTable, (table) => {
    table.increments('index').primary();
    table.integer('is_locked');
  });
  await tx(lockTable).insert({ is_locked: 0 });
}

async function isPending(knex: Knex, names: readonly string[]): Promise<boolean> {
  if (!(await knex.schema.hasTable('knex_migrations'))) return true;
  const rows = await knex('knex_migrations').select<{ name: string }[]>('name');
  const known = new Set(names);
  const unknown = rows.find((row) => !known.has(row.name));
  if (unknown !== undefined && ((await readSchemaLevel(knex)) ?? Number.POSITIVE_INFINITY) > schemaLevel) {
    throw new DatabaseError(
      'newer_schema',
      `the database was written by a newer Dropslot (it has "${unknown.name}"): start that version, or restore a backup`,
    );
  }
  const applied = new Set(rows.map((row) => row.name));
  return names.some((name) => !applied.has(name));
}

function isContention(error: unknown): boolean {
  const { name, message, code } = error as { name?: string; message?: string; code?: string };
  return name === 'MigrationLocked' || code === '23505' || code === '42P07' || /already exists/.test(message ?? '');
}

async function refuseDown(): Promise<void> {
  throw new Error('migrations only go forward');
}
