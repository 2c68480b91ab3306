/** Directory database: digests of the rows that the directory already says, by organization. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const knownRows: Migration = { name: '013_known_rows', up: addKnownRows };

async function addKnownRows(knex: Knex): Promise<void> {
  await knex.schema.createTable('known_files', (table) => {
    table.text('org_id').primary();
    table.bigInteger('version').notNullable(); // of org_versions: they hold for no other
    table.text('header').notNullable();
    table.text('orders').notNullable();
    table.text('rules').notNullable();
  });
  await knex.schema.createTable('known_rows', (table) => {
    table.text('org_id').notNullable();
    table.integer('piece').notNullable();
    table.binary('digests').notNullable(); // 24 bytes for each row
    table.primary(['org_id', 'piece']);
  });
}
