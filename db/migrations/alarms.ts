/** Control database: alarms about files of an organization that are missing, late or unusual. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const alarms: Migration = { name: '009_alarms', up: addAlarms };

async function addAlarms(knex: Knex): Promise<void> {
  await knex.schema.createTable('alarms', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('kind').notNullable(); // missing, shrunk, unchanged
    table.text('subject').notNullable(); // users, teams
    table.text('detail').notNullable(); // JSON
    table.bigInteger('opened_at').notNullable();
    table.bigInteger('resolved_at');
    table.bigInteger('resolved_by'); // the upload that did
    table.index(['org_id', 'opened_at']);
  });
  await knex.raw('CREATE UNIQUE INDEX alarms_open ON alarms (org_id, kind, subject) WHERE resolved_at IS NULL');
}
