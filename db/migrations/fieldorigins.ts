/** Directory database: values of users and teams that a person set, so that an organization can keep files from changing them. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const fieldOrigins: Migration = { name: '016_field_origins', up: addOrigins };

async function addOrigins(knex: Knex): Promise<void> {
  await knex.schema.createTable('field_origins', (table) => {
    table.text('org_id').notNullable();
    table.text('entity').notNullable(); // user, team
    table.bigInteger('entity_id').notNullable();
    table.text('field').notNullable(); // a standard label, or the id of a custom field
    table.text('origin').notNullable(); // person
    table.bigInteger('set_at').notNullable();
    table.primary(['entity', 'entity_id', 'field']);
    table.index(['org_id']);
  });
}
