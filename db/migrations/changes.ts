/** The index over the changes of a user, team or field leads to the time of the last one, too. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const changesAt: Migration = { name: '012_changes_at', up: addTimes };

async function addTimes(knex: Knex): Promise<void> {
  await knex.schema.alterTable('changes', (table) => {
    table.dropIndex(['entity', 'entity_id']);
    table.index(['entity', 'entity_id', 'at']);
  });
}
