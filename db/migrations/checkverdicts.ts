/** Control database: the verdict of the early check beside each queued file. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const checkVerdicts: Migration = { name: '076_check_verdicts', up: addCheckVerdicts };

async function addCheckVerdicts(knex: Knex): Promise<void> {
  await knex.schema.alterTable('uploads', (table) => {
    table.text('check_verdict'); // would_import, would_hold or would_refuse; null: not checked, or by an older version
  });
}
