/** Both databases: who was erased, as keyed digests (the key is in the control database, the digests are in the directory), and erasures that have not ended. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const erasureKey: Migration = { name: '019_erasure_key', up: addKey };
export const erasedPeople: Migration = { name: '020_erased_people', up: addErased };
export const pendingErasures: Migration = { name: '034_pending_erasures', up: addPending };

async function addKey(knex: Knex): Promise<void> {
  await knex.schema.alterTable('orgs', (table) => {
    table.text('erasure_key'); // 32 random bytes in hex; null: the organization has erased nobody
  });
}

async function addErased(knex: Knex): Promise<void> {
  await knex.schema.createTable('erased_people', (table) => {
    table.text('org_id').notNullable();
    table.text('digest').notNullable(); // HMAC of an address or an identifier, in hex
    table.text('receipt').notNullable(); // of the erasure: all digests of one person have it
    table.bigInteger('at').notNullable();
    table.primary(['org_id', 'digest']);
  });
}

async function addPending(knex: Knex): Promise<void> {
  await knex.schema.createTable('pending_erasures', (table) => {
    table.text('org_id').notNullable();
    table.text('receipt').notNullable();
    table.text('person').notNullable(); // JSON: by which the rest is found; removed at the end of the erasure
    table.bigInteger('at').notNullable();
    table.primary(['org_id', 'receipt']);
  });
}
