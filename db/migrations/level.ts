/**
 * The level of a schema: the versions of Dropslot that can work with it. A migration that only adds (an expansion) leaves it as it is, so that
 * nodes of the version before go on; one that takes something away, or gives it another meaning (a contraction), raises it.
 */
import type { Knex } from 'knex';

/** The level that this version writes, and the highest that it can work with. */
export const schemaLevel = 1;

const table = 'schema_level';

/** By the first migration after which several versions may work side by side. */
export async function makeSchemaLevel(knex: Knex): Promise<void> {
  await knex.schema.createTable(table, (columns) => {
    columns.integer('id').primary(); // 1: there is one row
    columns.integer('level').notNullable();
  });
  await knex(table).insert({ id: 1, level: 1 });
}

/** By a contraction, as its last step; `level`: the `schemaLevel` of the version that brings it. */
export async function raiseSchemaLevel(knex: Knex, level: number): Promise<void> {
  await knex(table).update({ level });
}

/** null: the schema is older than levels are. */
export async function readSchemaLevel(knex: Knex): Promise<number | null> {
  if (!(await knex.schema.hasTable(table))) return null;
  return (await knex(table).first<{ level: number } | undefined>('level'))?.level ?? null;
}
