/** Control database: the schedule of backups, in one row that all nodes share. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const backups: Migration = { name: '063_backups', up: addBackups };

async function addBackups(knex: Knex): Promise<void> {
  await knex.schema.createTable('backup_schedule', (table) => {
    table.integer('id').primary(); // 1: the only row
    table.bigInteger('claimed_until').notNullable().defaultTo(0); // while a process makes one
    table.bigInteger('begun_at').notNullable().defaultTo(0); // of the last one that succeeded; 0: none has
    table.text('folder'); // where that one is
    table.bigInteger('retry_at').notNullable().defaultTo(0); // not before, after a failure
    table.bigInteger('failed_at'); // null: the last one succeeded
    table.text('failure'); // why it failed
  });
  await knex('backup_schedule').insert({ id: 1 });
}
