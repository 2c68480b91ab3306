/** Both databases: who was erased, as keyed digests. The key is in the control database, the digests are in the directory. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const erasureKey: Migration = { name: '019_erasure_key', up: addKey };
export const erasedPeople: Migration = { name: '020_erased_people', up: addErased };

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
