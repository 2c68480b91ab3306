/** Directory database: the numbers of users whom recent imports changed, for the limits of the guard (G1). */
import type { Knex } from 'knex';

export async function addGuardCounts(knex: Knex): Promise<void> {
  await knex.schema.createTable('guard_counts', (table) => {
    table.bigInteger('run_id').primary();
    table.text('org_id').notNullable();
    table.bigInteger('at').notNullable();
    table.text('counts').notNullable(); // JSON: deactivations, adminChanges, creations, reactivations, updates by label
    table.index(['org_id', 'at']);
  });
}
