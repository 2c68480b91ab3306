/** Control database: each upload adds an event, and each index of the outbox costs each upload a page of it. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const eventIndexes: Migration = { name: '065_event_indexes', up: replaceIndexes };

/** Old events are found by their numbers, and few events are of a run. */
async function replaceIndexes(knex: Knex): Promise<void> {
  await knex.schema.alterTable('events', (table) => {
    table.dropIndex(['run_id']);
    table.dropIndex(['at']);
  });
  await knex.raw('CREATE INDEX events_run ON events (run_id) WHERE run_id IS NOT NULL');
}
