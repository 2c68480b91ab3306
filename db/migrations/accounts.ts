/** People of the web console: their accounts, the invitations to set a password, and their sessions; of secrets only hashes and seals. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const accounts: Migration = { name: '071_accounts', up: addAccounts };

async function addAccounts(knex: Knex): Promise<void> {
  await knex.schema.createTable('accounts', (table) => {
    table.text('id').primary(); // acc_…
    table.text('email').notNullable(); // as it was written
    table.text('email_key').notNullable().unique(); // as it is compared
    table.text('role').notNullable(); // owner, operator, read-only, auditor; of an organization: admin, viewer
    table.text('org_id').references('orgs.id').onDelete('CASCADE'); // null: of the server
    table.text('password'); // scrypt; null: the invitation was not used yet
    table.text('totp'); // the secret, sealed to the master key
    table.bigInteger('totp_step'); // of the last code that signed in: no code is accepted twice
    table.text('recovery').notNullable().defaultTo('[]'); // JSON: SHA-256 of the codes that are left, hex
    table.text('created_by').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('signed_in_at');
    table.index(['org_id']);
  });
  await knex.schema.createTable('account_invitations', (table) => {
    table.text('account_id').primary().references('accounts.id').onDelete('CASCADE'); // a new one replaces the old one
    table.text('hash').notNullable().unique(); // SHA-256 of the code in the link, hex
    table.text('created_by').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at').notNullable();
  });
  await knex.schema.createTable('account_sessions', (table) => {
    table.text('id').primary(); // ses_…
    table.text('hash').notNullable().unique(); // SHA-256 of the cookie, hex
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('seen_at').notNullable(); // to the minute
    table.bigInteger('expires_at').notNullable();
    table.text('address');
    table.text('agent'); // the beginning of the browser's name for itself
    table.index(['account_id']);
  });
}
