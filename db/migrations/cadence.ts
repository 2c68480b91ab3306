/** Control database: several slots a day. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const cadence: Migration = { name: '009_cadence', up: addCadence };

async function addCadence(knex: Knex): Promise<void> {
  await knex.schema.alterTable('runs', (table) => {
    table.text('slot_time'); // HH:MM of slot_date; null for runs without one
    table.dropUnique(['org_id', 'slot_date']);
  });
  await knex('runs')
    .whereNotNull('slot_date')
    .update({ slot_time: knex('orgs').select('slot').whereRaw('orgs.id = runs.org_id') });
  await knex.schema.alterTable('runs', (table) => {
    table.unique(['org_id', 'slot_date', 'slot_time']); // opens a slot once, however many nodes wake
  });
}
