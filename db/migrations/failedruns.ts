/** An index of the runs that failed: few of many, which every look at the state of all organizations counts. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const failedRuns: Migration = {
  name: '072_failed_runs',
  up: async (knex: Knex) => {
    await knex.raw("CREATE INDEX runs_failed ON runs (finished_at) WHERE state = 'failed'");
  },
};
