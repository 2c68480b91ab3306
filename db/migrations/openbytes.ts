/** Control database: a backup that a person asks for, in the row of the schedule; and bytes in progress of every process. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const openBytes: Migration = { name: '086_open_bytes', up: addBoth };

async function addBoth(knex: Knex): Promise<void> {
  await knex.schema.alterTable('backup_schedule', (table) => {
    table.text('job_state'); // waiting, running, made, failed; null: none was asked for yet
    table.bigInteger('job_asked_at');
    table.text('job_asked_by');
    table.bigInteger('job_ended_at');
    table.text('job_folder'); // where it is
    table.text('job_failure'); // why it failed
    table.text('progress'); // of the backup that is being made
  });
  await knex.schema.createTable('open_bytes', (table) => {
    table.text('process').notNullable();
    // Not a reference: it must never wait for a change of the organization.
    table.text('org_id').notNullable();
    table.bigInteger('bytes').notNullable(); // of uploads in progress
    table.bigInteger('told_at').notNullable(); // counts for some time from then
    table.primary(['process', 'org_id']);
    table.index(['org_id']);
  });
}
