/** Control database: the processes for connections of each server, and which process each upload in progress is in. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const workers: Migration = { name: '120_workers', up: addWorkers };

async function addWorkers(knex: Knex): Promise<void> {
  await knex.schema.alterTable('partials', (table) => {
    table.text('process'); // of one in progress: the process that receives it; null: of a version that did not write it
  });
  await knex.schema.createTable('workers', (table) => {
    table.text('server').notNullable(); // host:pid of the server that they belong to
    table.integer('number').notNullable();
    table.integer('pid'); // null: none runs now
    table.integer('connections').notNullable();
    table.bigInteger('memory_bytes').notNullable();
    table.bigInteger('processor_ms').notNullable();
    table.integer('restarts').notNullable();
    table.bigInteger('seen_at').notNullable(); // when the server wrote this last, in ms
    table.primary(['server', 'number']);
  });
}
