/** Control database: a backup that a person asks for, in the row of the schedule. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const backupRequests: Migration = { name: '086_backup_requests', up: addRequests };

async function addRequests(knex: Knex): Promise<void> {
  await knex.schema.alterTable('backup_schedule', (table) => {
    table.text('job_state'); // waiting, running, made, failed; null: none was asked for yet
    table.bigInteger('job_asked_at');
    table.text('job_asked_by');
    table.bigInteger('job_ended_at');
    table.text('job_folder'); // where it is
    table.text('job_failure'); // why it failed
    table.text('progress'); // of the backup that is being made
  });
}
