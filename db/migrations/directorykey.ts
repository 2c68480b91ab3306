/** Control database: the key of a sealed directory.db, itself sealed to the master key. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const directoryKey: Migration = { name: '038_directory_key', up: addDirectoryKey };

async function addDirectoryKey(knex: Knex): Promise<void> {
  await knex.schema.createTable('directory_key', (table) => {
    table.integer('id').primary(); // 1: there is one key, or none
    table.text('sealed_key').notNullable(); // armored age file for the master recipient
    table.bigInteger('made_at').notNullable();
  });
}
