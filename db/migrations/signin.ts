/** Ways to sign in to the web console beside a password: identity providers, passkeys, and browsers that signed in before. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const providers: Migration = { name: '087_providers', up: addProviders };
export const passkeys: Migration = { name: '088_passkeys', up: addPasskeys };

async function addProviders(knex: Knex): Promise<void> {
  await knex.schema.alterTable('accounts', (table) => {
    table.text('issuer'); // of the provider at which the person signed in first; null: never
    table.text('subject'); // the name of the person there
    table.index(['issuer', 'subject']);
  });
  await knex.schema.alterTable('account_sessions', (table) => {
    table.text('method'); // password, passkey, provider, invitation; null: begun by an older version
    table.bigInteger('authenticated_at'); // when the person proved who they are; null: at created_at
  });
  // One of each organization; that of the server is a setting.
  await knex.schema.createTable('org_providers', (table) => {
    table.text('org_id').primary().references('orgs.id').onDelete('CASCADE');
    table.text('key').notNullable().unique(); // random: the addresses of its sign-in have it
    table.text('issuer').notNullable();
    table.text('client_id').notNullable();
    table.text('secret'); // sealed to the master key; null: a public client
    table.text('options').notNullable(); // JSON
    table.text('created_by').notNullable();
    table.bigInteger('created_at').notNullable();
  });
  // Each is used once, and belongs to one browser.
  await knex.schema.createTable('account_challenges', (table) => {
    table.text('hash').primary(); // SHA-256 of the cookie, or of the session, hex
    table.text('kind').notNullable(); // provider, passkey, newPasskey
    table.text('data').notNullable(); // JSON
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.index(['created_at']);
  });
}

async function addPasskeys(knex: Knex): Promise<void> {
  await knex.schema.createTable('account_passkeys', (table) => {
    table.text('id').primary(); // psk_…
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.text('credential').notNullable().unique(); // the id that the authenticator gave it, base64url
    table.text('public_key').notNullable(); // COSE, base64url
    table.bigInteger('counter').notNullable(); // of signatures; 0 where the authenticator does not count
    table.text('name').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('used_at');
    table.index(['account_id']);
  });
  await knex.schema.createTable('account_browsers', (table) => {
    table.text('hash').primary(); // SHA-256 of the cookie, hex
    table.text('account_id').notNullable().references('accounts.id').onDelete('CASCADE');
    table.bigInteger('seen_at').notNullable(); // of the last sign-in
    table.index(['account_id']);
  });
}
