/** Control database: indexes for the metrics, so that a scrape costs the same after any number of runs. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const runIndexes: Migration = {
  name: '146_run_indexes',
  up: async (knex: Knex) => {
    await knex.raw("CREATE INDEX runs_slot_started ON runs (started_at) WHERE kind = 'slot'");
    await knex.raw("CREATE INDEX runs_applied ON runs (org_id, finished_at) WHERE state = 'done' AND kind <> 'edit'");
  },
};
