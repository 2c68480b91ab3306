/** Control database: the order of uploads and their first names, so that an older one that was cut off is not kept beside a newer one. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const cutOffs: Migration = { name: '151_cut_offs', up: addOrder };

async function addOrder(knex: Knex): Promise<void> {
  await knex.schema.alterTable('uploads', (table) => {
    table.text('closed_path'); // before its first rename; null: there was none, or by a version that did not write it
  });
  await knex.raw('CREATE INDEX uploads_closed_path ON uploads (org_id, closed_path) WHERE closed_path IS NOT NULL');
  await knex.schema.alterTable('partials', (table) => {
    table.bigInteger('last_upload'); // the highest id in uploads when it began; null: of a version that did not write it
  });
}
