/** Control database: the other doors (SFTP servers of customers, watched folders), and the files that were taken from them. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const sources: Migration = { name: '045_sources', up: addSources };

async function addSources(knex: Knex): Promise<void> {
  await knex.schema.createTable('sources', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('kind').notNullable(); // sftp, folder
    table.text('config').notNullable(); // JSON
    table.text('secret'); // JSON, sealed to the master key: a private key or a password
    table.text('state').notNullable(); // active, disabled, unconfirmed, host_key_changed
    table.integer('failures').notNullable().defaultTo(0); // rounds in a row that failed
    table.text('failure'); // why the last round failed, one sentence
    table.text('failure_code');
    table.text('result'); // JSON: the last round
    table.bigInteger('failed_at'); // the first of those failures
    table.bigInteger('last_at'); // the last round's end
    table.bigInteger('last_ok_at');
    table.bigInteger('next_at').notNullable();
    table.text('lease_owner');
    table.bigInteger('lease_until').notNullable().defaultTo(0);
    table.bigInteger('created_at').notNullable();
    table.index(['org_id']);
  });
  await knex.schema.createTable('source_files', (table) => {
    table.bigIncrements('id');
    table.bigInteger('source_id').notNullable().references('sources.id').onDelete('CASCADE');
    table.text('name').notNullable();
    table.bigInteger('size').notNullable();
    table.bigInteger('mtime_ms').notNullable();
    table.text('sha256').notNullable();
    table.bigInteger('upload_id').notNullable();
    table.bigInteger('taken_at').notNullable();
    table.bigInteger('seen_at').notNullable(); // its sender wrote the same content again
    table.integer('is_pending').notNullable(); // 1: it is still to be deleted or moved at its source; 2: that has begun
    table.bigInteger('gone_at'); // since when it is no longer there
    table.unique(['source_id', 'name']);
    table.index(['upload_id']);
  });
}
