/** Control database: runs that wait because of a fault of the machine. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const faults: Migration = { name: '033_faults', up: addFaults };

async function addFaults(knex: Knex): Promise<void> {
  await knex.schema.alterTable('runs', (table) => {
    table.text('fault'); // a sentence; null: the machine did not fail, or no longer
    table.integer('faults').notNullable().defaultTo(0); // how often in a row
    table.bigInteger('retry_at'); // no importer claims it before; null: at once
  });
}
