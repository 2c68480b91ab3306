/** Control database: whose turn it is among organizations, and files that stopped an importer. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const pool: Migration = { name: '031_pool', up: addPool };

async function addPool(knex: Knex): Promise<void> {
  await knex.schema.createTable('import_turns', (table) => {
    table.text('org_id').primary().references('orgs.id').onDelete('CASCADE');
    table.bigInteger('ran_at').notNullable().defaultTo(0); // when its last run was claimed
    table.bigInteger('checked_at').notNullable().defaultTo(0); // when its last check began
  });
  await knex.schema.createTable('quarantine', (table) => {
    table.bigInteger('upload_id').primary().references('uploads.id').onDelete('CASCADE');
    table.text('cause').notNullable(); // hung, memory, time, check_time
    table.integer('strikes').notNullable(); // how often it stopped an importer
    table.bigInteger('at').notNullable();
    table.integer('is_refused').notNullable(); // 0: the next stop refuses it
  });
  // Of each organization the oldest run is worked on first: found without a look at those that ended.
  await knex.raw("CREATE INDEX runs_unended ON runs (org_id, id) WHERE state IN ('open', 'running', 'held')");
}
