/** Control database: where the sealed files are since they were moved, and the place into which each of them was written. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const blobPlace: Migration = { name: '110_blob_place', up: addBlobPlace };

async function addBlobPlace(knex: Knex): Promise<void> {
  await knex.schema.createTable('blob_place', (table) => {
    table.integer('id').primary(); // 1; no row: they were never moved. 2: the folder that nodes share, in `place`
    table.integer('number').notNullable(); // of the place, from 0; each move counts it up
    table.text('place'); // as the setting `blobs` names it; null: as the settings say
    table.text('moving_to'); // a move that has not ended; null: none
    table.text('copied_to'); // the blob up to which, by the order of ids, all are copied; null: none
    table.bigInteger('at').notNullable();
  });
  await knex.schema.alterTable('blobs', (table) => {
    table.integer('place_number').notNullable().defaultTo(0); // of the process that wrote its bytes
  });
}
