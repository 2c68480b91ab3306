/** Directory database: which users files describe, and from how many full files in a row they are missing (rule U3a). */

import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import type { Migration } from './migrate.js';

export const omission: Migration = { name: '017_omission', up: addOmission };

async function addOmission(knex: Knex): Promise<void> {
  await knex.schema.alterTable('users', (table) => {
    table.text('in_files'); // row: a row of a file has described the user; named: only cells of other rows; null: neither
    table.integer('missed_files').notNullable().defaultTo(0); // full files in a row without the user
  });
  // The last full files of an organization that were counted.
  await knex.schema.createTable('full_files', (table) => {
    table.text('org_id').primary();
    table.text('digest').notNullable(); // of the files of that run
    table.text('day').notNullable(); // yyyy-mm-dd, of the run
    table.bigInteger('run_id').notNullable();
  });
  // The users whose count a run has raised, so that an undo lowers it again.
  await knex.schema.createTable('omissions', (table) => {
    table.bigInteger('run_id').notNullable();
    table.bigInteger('user_id').notNullable().references('users.id').onDelete('CASCADE');
    table.primary(['run_id', 'user_id']);
    table.index(['user_id']);
  });
  await describeKnown(knex);
}

/** Of users from before this migration, the record of changes says whether only another row's cell has named them. */
export async function describeKnown(knex: Knex): Promise<void> {
  const isPostgres = dialectOf(knex) === 'postgres';
  const id = isPostgres ? 'users.id::text' : 'CAST(users.id AS TEXT)';
  await knex.raw(
    `UPDATE users SET in_files = 'row' WHERE EXISTS
       (SELECT 1 FROM changes c WHERE c.entity = 'user' AND c.entity_id = ${id} AND c.upload_id IS NOT NULL)`,
  );
  const value = (label: string) =>
    `CASE WHEN n.field = '' AND n.entity IN ('user', 'team') THEN (n.after${isPostgres ? '::jsonb' : ''})->>'${label}'
       WHEN n.field = '${label}' THEN n.after END`;
  await knex.raw(
    `UPDATE users SET in_files = 'named' WHERE in_files = 'row'
       AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.entity = 'user' AND c.entity_id = ${id} AND c.upload_id IS NOT NULL
         AND c.field NOT IN ('', 'Teams'))
       AND id IN (SELECT named.id FROM changes c JOIN users named ON CAST(named.id AS TEXT) = c.entity_id
         JOIN changes n ON n.upload_id = c.upload_id AND n.line = c.line AND n.id <> c.id
           AND n.field IN ('', 'Manager Email', 'Owner Email')
         WHERE c.entity = 'user' AND c.field = '' AND c.upload_id IS NOT NULL
           AND (LOWER(${value('Manager Email')}) = named.email_key OR LOWER(${value('Owner Email')}) = named.email_key))`,
  );
}
