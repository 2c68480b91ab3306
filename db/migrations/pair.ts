/** Both databases: the id that they share, and marks by which one that was restored without the other is recognized. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const controlPair: Migration = { name: '036_pair', up: addControlPair };
export const directoryPair: Migration = { name: '036_pair', up: addDirectoryPair };

/** Neither migration sees the other database: the first process that opens both writes the id. */
async function addControlPair(knex: Knex): Promise<void> {
  await knex.schema.createTable('pair', (table) => {
    table.integer('id').primary();
    table.text('pair_id');
    table.bigInteger('directory_writes').notNullable(); // the writes that the directory had when a run was last settled
    // Where the numbers ended that this database gave out before they were raised; null: they were not.
    table.bigInteger('lost_run');
    table.bigInteger('lost_upload');
  });
  await knex('pair').insert({ id: 1, directory_writes: 0 });
}

async function addDirectoryPair(knex: Knex): Promise<void> {
  await knex.schema.createTable('pair', (table) => {
    table.integer('id').primary();
    table.text('pair_id');
    table.bigInteger('writes').notNullable(); // imports, edits and erasures
    // The highest numbers of runs and uploads of organizations that were removed.
    table.bigInteger('removed_run').notNullable();
    table.bigInteger('removed_upload').notNullable();
  });
  await knex('pair').insert({ id: 1, writes: 0, removed_run: 0, removed_upload: 0 });
}
