/** Control database: since when an organization's files are expected as they are. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const expectations: Migration = { name: '012_expectations', up: addExpectations };

async function addExpectations(knex: Knex): Promise<void> {
  await knex.schema.alterTable('orgs', (table) => {
    // Deadlines before this time do not count; earlier versions moved slots_from instead, which counts as well.
    table.bigInteger('expect_from').notNullable().defaultTo(0);
  });
}
