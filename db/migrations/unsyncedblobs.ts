/** Control database: the bytes of small sealed files until the disk has their files. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const unsyncedBlobs: Migration = { name: '130_unsynced_blobs', up: addTable };

async function addTable(knex: Knex): Promise<void> {
  await knex.schema.createTable('unsynced_blobs', (table) => {
    // Not a reference: a blob may be removed while its row is still here.
    table.text('id').primary();
    table.binary('bytes').notNullable(); // sealed
    table.text('boot').notNullable(); // the start of the machine since which the file is in its memory
  });
}
