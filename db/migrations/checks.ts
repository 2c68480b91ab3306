/** Control database: checks of files before their import, and the type and rows found in each file. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const checks: Migration = { name: '009_checks', up: addChecks };

async function addChecks(knex: Knex): Promise<void> {
  await knex.schema.alterTable('uploads', (table) => {
    table.text('type'); // users, teams; null: not read yet, or unknown
    table.bigInteger('rows'); // null: not read yet
    table.bigInteger('checked_at');
    table.integer('check_attempts').notNullable().defaultTo(0);
  });
  await knex.schema.createTable('check_leases', (table) => {
    table.text('org_id').primary().references('orgs.id').onDelete('CASCADE');
    table.text('owner').notNullable();
    table.bigInteger('until').notNullable();
  });
}
