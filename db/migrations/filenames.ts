/** Control database: when the sender of a file that is stored and not queued is told, and the type in the header of each file. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const fileNames: Migration = { name: '030_file_names', up: addFileNames };

const dayMs = 86_400_000;

async function addFileNames(knex: Knex): Promise<void> {
  await knex.schema.alterTable('uploads', (table) => {
    table.text('header_type'); // users, teams, none; null: not read yet
    table.bigInteger('tell_at').index(); // null: there is nothing to tell
    table.bigInteger('told_at');
  });
  const stored = knex('uploads').where({ state: 'stored' });
  await stored.update({ tell_at: knex.raw('closed_at + ?', [dayMs]) });
}
