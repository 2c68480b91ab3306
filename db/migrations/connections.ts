/** Control database: the last attempts to log in with each key, and changes of keys that wait for an operator. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const connections: Migration = { name: '090_connections', up: addConnections };

async function addConnections(knex: Knex): Promise<void> {
  await knex.schema.createTable('login_attempts', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('credential').notNullable(); // fingerprint of the organization's key; '': of a key that it does not have
    table.text('fingerprint').notNullable(); // of the key that was offered
    table.integer('accepted').notNullable();
    table.text('reason'); // null: accepted
    table.bigInteger('at').notNullable();
    table.text('address');
    table.text('client');
    table.index(['org_id', 'credential', 'accepted', 'id']);
    table.index(['accepted', 'at']);
  });
  await knex.schema.createTable('key_requests', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('kind').notNullable(); // add, replace, addresses
    table.text('detail').notNullable(); // JSON: the public key or the fingerprint, with the terms
    table.text('requested_by').notNullable();
    table.bigInteger('requested_at').notNullable();
    table.index(['org_id']);
  });
}
