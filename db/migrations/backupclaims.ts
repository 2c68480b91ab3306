/** Control database: a number for each claim of the schedule of backups, so that a process that stood still knows that it lost its own. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const backupClaims: Migration = { name: '145_backup_claims', up: addNumber };

async function addNumber(knex: Knex): Promise<void> {
  await knex.schema.alterTable('backup_schedule', (table) => {
    table.bigInteger('claim').notNullable().defaultTo(0); // rises with every claim
  });
}
