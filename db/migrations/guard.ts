/** Runs that are held until an operator approves them, and runs that undo another one. */
import type { Knex } from 'knex';

export async function addGuard(knex: Knex): Promise<void> {
  await knex.schema.alterTable('runs', (table) => {
    table.text('hold'); // JSON: when, the date it was planned for, the digest of the plan; kept once it was held
    table.text('approval'); // JSON: who, when, until when, of which digest
    table.bigInteger('undoes'); // the run whose changes this one takes back
  });
}
