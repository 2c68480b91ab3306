/** Control database: subscribers that are handlers of a program which embeds Dropslot, and the import hooks of such a program. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const handlers: Migration = { name: '068_handlers', up: addHandlers };

async function addHandlers(knex: Knex): Promise<void> {
  await knex.schema.alterTable('subscribers', (table) => {
    table.text('name').unique(); // of a handler, by which its program finds it again; null: of any other kind
    table.bigInteger('seen_at'); // when its program last had it; null: of any other kind
  });
  // One row while the import hooks are functions of a program: no other process can call them.
  await knex.schema.createTable('program_hooks', (table) => {
    table.integer('id').primary();
    table.bigInteger('at').notNullable();
  });
}
