/** Links in mails, each of which downloads an export once; of their tokens only hashes. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const downloads: Migration = { name: '085_downloads', up: addDownloads };

async function addDownloads(knex: Knex): Promise<void> {
  await knex.schema.createTable('downloads', (table) => {
    table.text('hash').primary(); // SHA-256 of the token, hex
    table.text('org_id').notNullable().references('orgs.id').onDelete('CASCADE');
    table.text('name').notNullable(); // of the file, in the folder of such files
    table.bigInteger('user_id').notNullable(); // the admin who got the mail
    table.bigInteger('created_at').notNullable();
    table.bigInteger('expires_at').notNullable();
    table.integer('attempts').notNullable().defaultTo(0); // downloads that began
    table.bigInteger('busy_until'); // the one that is under way holds the link until then
    table.bigInteger('again_until'); // one that broke off may begin again until then
    table.index(['org_id']);
    table.index(['expires_at']);
  });
}
