/** Control database: the open sessions of every server process, for as long as the process renews its lease. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const openSessions: Migration = { name: '075_sessions', up: addSessions };

async function addSessions(knex: Knex): Promise<void> {
  await knex.schema.createTable('session_servers', (table) => {
    table.text('id').primary(); // random, of one process
    table.text('name').notNullable(); // host:pid
    table.text('kind').notNullable(); // serve, or sshd: a process for one session
    table.bigInteger('seen_at').notNullable(); // its sessions count for some seconds from then
  });
  await knex.schema.createTable('sessions', (table) => {
    table.text('id').primary();
    table.text('server_id').notNullable().references('session_servers.id').onDelete('CASCADE');
    table.text('org_id').notNullable();
    table.text('fingerprint'); // null: of an sshd that did not say which
    table.text('address');
    table.text('client').notNullable();
    table.bigInteger('started_at').notNullable();
    table.bigInteger('files_received').notNullable();
    table.bigInteger('files_sent').notNullable();
    table.bigInteger('bytes_received').notNullable();
    table.bigInteger('bytes_sent').notNullable();
    table.integer('open_files').notNullable(); // in transfer now
    table.bigInteger('open_bytes').notNullable(); // of them, up to now
    table.bigInteger('bytes_per_second').notNullable();
    table.text('end_asked_by'); // the operator who ends it; null: it may go on
    table.index(['server_id', 'end_asked_by']);
    table.index(['org_id']);
  });
}
