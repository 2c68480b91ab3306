/** Control database: who added a login key, so that a person does not approve the import of their own upload. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const keyOwners: Migration = { name: '089_key_owners', up: addKeyOwners };

async function addKeyOwners(knex: Knex): Promise<void> {
  await knex.schema.alterTable('login_keys', (table) => {
    table.text('added_by'); // web:EMAIL, token:tok_…, operator:USER; null: a file of the folder of keys, or an earlier version
  });
}
