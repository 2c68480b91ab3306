/** Directory database: deactivated users are counted by an index of their own, so that a page with counts reads no other rows. */
import type { Migration } from './migrate.js';

export const userCounts: Migration = {
  name: '095_user_counts',
  up: async (knex) => {
    await knex.raw("CREATE INDEX users_deactivated ON users (org_id) WHERE status = 'deactivated'");
  },
};
