/** Control database: which admin asked for an organization's SFTP door. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const requests: Migration = { name: '009_requests', up: addRequests };

async function addRequests(knex: Knex): Promise<void> {
  await knex.schema.alterTable('orgs', (table) => {
    table.bigInteger('sftp_requested_at'); // null: nobody asked
    table.text('sftp_requested_by'); // an admin's address
  });
  // Whoever is let in has asked.
  await knex('orgs')
    .where({ enabled: 1 })
    .update({ sftp_requested_at: knex.ref('created_at'), sftp_requested_by: knex.ref('owner_email') });
}
