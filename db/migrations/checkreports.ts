/** Control database: which reports belong to the check of which upload, so that they go when its import is reported. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const checkReports: Migration = { name: '018_check_reports', up: addCheckReports };

async function addCheckReports(knex: Knex): Promise<void> {
  await knex.schema.createTable('check_reports', (table) => {
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('path').notNullable();
    table.bigInteger('upload_id').notNullable().index();
    table.primary(['org_id', 'path']);
  });
}
