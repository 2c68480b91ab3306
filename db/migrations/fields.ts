/** Directory database: options of custom fields. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const fieldChoices: Migration = { name: '009_fields', up: addFieldChoices };

async function addFieldChoices(knex: Knex): Promise<void> {
  await knex.schema.alterTable('fields', (table) => {
    table.integer('hidden').notNullable().defaultTo(0); // exports and templates leave it out
    table.text('aliases').notNullable().defaultTo('[]'); // JSON: compared forms of labels that it had before
  });
}
