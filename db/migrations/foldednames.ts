/** Control database: the names of a folder as Windows compares them. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const foldedNames: Migration = { name: '014_folded_names', up: addFoldedNames };

async function addFoldedNames(knex: Knex): Promise<void> {
  await knex.schema.alterTable('entries', (table) => {
    table.text('folded_name').notNullable().defaultTo('');
  });
  // SQLite folds ASCII only; a name is compared as it is, too.
  await knex('entries').update({ folded_name: knex.raw('lower(name)') });
  await knex.schema.alterTable('entries', (table) => {
    table.index(['org_id', 'dir', 'folded_name']);
  });
}
