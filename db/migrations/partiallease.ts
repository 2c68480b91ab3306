/** Control database: which uploads in progress are alive, and the key that lets every server resume one that was cut off. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const partialLease: Migration = { name: '079_partial_lease', up: addLease };

async function addLease(knex: Knex): Promise<void> {
  await knex.schema.alterTable('partials', (table) => {
    table.bigInteger('beat_at'); // of one in progress: when its server last renewed it, by the clock of the database
  });
  await knex.schema.createTable('partial_key', (table) => {
    table.integer('id').primary(); // 1
    table.text('identity').notNullable(); // age identity that opens the partials of servers with an object store
  });
}
