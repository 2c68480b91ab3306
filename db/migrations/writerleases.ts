/** Control database: the writers of files that are open on servers which can't share a file with each other. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const writerLeases: Migration = { name: '081_writer_leases', up: addWriterLeases };

async function addWriterLeases(knex: Knex): Promise<void> {
  await knex.schema.createTable('writer_leases', (table) => {
    table.text('id').primary(); // of one open handle
    table.text('process').notNullable(); // its writers share a file in memory
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('path').notNullable();
    table.integer('is_keyless').notNullable(); // 1: its process can't lay its changes over another version
    table.bigInteger('until_at').notNullable(); // renewed while the handle is open
    table.index(['org_id', 'path']);
    table.index(['process']);
  });
  await knex.schema.createTable('keyless_servers', (table) => {
    table.integer('id').primary(); // 1
    table.bigInteger('seen_at').notNullable(); // when one of them has said last that it is there
  });
}
