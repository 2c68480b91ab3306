/** Control database: which admin asked for an organization's SFTP access. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const requests: Migration = { name: '009_requests', up: addRequests };

async function addRequests(knex: Knex): Promise<void> {
  await knex.schema.alterTable('orgs', (table) => {
    table.bigInteger('sftp_requested_at'); // null: not requested
    table.text('sftp_requested_by'); // an admin's address
  });
  // Organizations that have access count as having requested it.
  await knex('orgs')
    .where({ enabled: 1 })
    .update({ sftp_requested_at: knex.ref('created_at'), sftp_requested_by: knex.ref('owner_email') });
}
