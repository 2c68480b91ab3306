/** Control database: the names that an import has just taken from their senders. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const movedNames: Migration = { name: '021_moved_names', up: addMovedNames };

async function addMovedNames(knex: Knex): Promise<void> {
  await knex.schema.createTable('moved_names', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('dir').notNullable();
    table.text('name').notNullable();
    table.bigInteger('upload_id').notNullable();
    table.bigInteger('size').notNullable(); // plaintext bytes
    table.integer('mode').notNullable();
    table.bigInteger('mtime_ms').notNullable();
    table.bigInteger('atime_ms').notNullable();
    table.bigInteger('until_at').notNullable(); // its sender sees it under its old name until then
    table.unique(['org_id', 'dir', 'name']);
    table.index(['until_at']);
  });
}
