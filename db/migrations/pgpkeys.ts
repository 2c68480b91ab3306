/** Control database: OpenPGP keys of organizations, their own and those of the customers' programs. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const pgpKeys: Migration = { name: '046_pgp_keys', up: addPgpKeys };

async function addPgpKeys(knex: Knex): Promise<void> {
  await knex.schema.createTable('pgp_keys', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('kind').notNullable(); // own: opens files; customer: checks signatures, and reports are encrypted to it
    table.text('fingerprint').notNullable(); // capital hexadecimal digits
    table.text('key_ids').notNullable(); // JSON: of the key and its subkeys
    table.text('algorithm').notNullable();
    table.text('user_id').notNullable();
    table.text('public_key').notNullable(); // in armor
    table.text('sealed_private_key'); // an armored age file that the organization's identity opens; null: customer
    table.text('sealed_to'); // the key id of that identity
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at'); // null: never
    table.bigInteger('revoked_at');
    table.unique(['org_id', 'kind', 'fingerprint']);
  });
}
