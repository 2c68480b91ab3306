/** Access tokens of the HTTP API, of which only the hash is stored; and the answers to requests that may be repeated. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const tokens: Migration = { name: '060_tokens', up: addTokens };

async function addTokens(knex: Knex): Promise<void> {
  await knex.schema.createTable('api_tokens', (table) => {
    table.text('id').primary(); // tok_…
    table.text('hash').notNullable().unique(); // SHA-256 of the token, hex
    table.text('name').notNullable();
    table.text('org_id').references('orgs.id').onDelete('CASCADE'); // null: of all organizations
    table.text('scope').notNullable(); // read, operate, admin, audit
    table.text('created_by').notNullable();
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at');
    table.bigInteger('revoked_at');
    table.bigInteger('last_used_at');
    table.text('last_used_from');
    table.index(['org_id']);
  });
  // Requests that were sent with an Idempotency-Key, and their answers.
  await knex.schema.createTable('api_requests', (table) => {
    table.text('token_id').notNullable().references('api_tokens.id').onDelete('CASCADE');
    table.text('key').notNullable();
    table.text('digest').notNullable(); // of the request, hex
    table.bigInteger('at').notNullable();
    table.text('answer'); // JSON; null: not answered yet
    table.primary(['token_id', 'key']);
    table.index(['at']);
  });
}
