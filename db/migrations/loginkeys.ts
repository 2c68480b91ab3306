/** The schema of login keys beyond their first columns: terms, rotation, who manages them, authorities, and passwords. */
import type { Knex } from 'knex';

export async function addLoginKeyTerms(knex: Knex): Promise<void> {
  await knex.schema.alterTable('login_keys', (table) => {
    table.text('kind').notNullable().defaultTo('key'); // key, ca, password
    table.text('note').notNullable().defaultTo('');
    table.bigInteger('not_before');
    table.text('permission').notNullable().defaultTo('read'); // upload; read: upload and read
    table.text('managed_by'); // the file below the folder of keys that owns it; null: given by a command
    table.text('replaced_by'); // fingerprint of the key that takes over
    table.bigInteger('replaced_at');
    table.text('revoked_by'); // command, folder
    table.text('principals'); // of a ca: JSON array of names that its certificates may carry
    table.text('secret'); // of a password: the scrypt hash
    table.text('last_used_algorithms');
    table.index(['fingerprint']);
  });
  // One row; its number grows with every change of login rights.
  await knex.schema.createTable('access_version', (table) => {
    table.integer('id').primary();
    table.bigInteger('version').notNullable();
  });
  await knex('access_version').insert({ id: 1, version: 1 });

  await knex.schema.createTable('revoked_certificates', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('kind').notNullable(); // serial, id, key
    table.text('value').notNullable();
    table.text('ca').notNullable(); // fingerprint of the authority; '': of every one
    table.bigInteger('created_at').notNullable();
    table.unique(['org_id', 'kind', 'value', 'ca']);
  });
}
