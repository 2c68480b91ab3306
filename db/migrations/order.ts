/** Control database: the order of the queue by numbers, the slots that each organization has had, and the last time of the clock. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const order: Migration = { name: '032_order', up: addOrder };

async function addOrder(knex: Knex): Promise<void> {
  await knex.schema.alterTable('uploads', (table) => {
    table.bigInteger('queue_number'); // the order in which files were queued; null until it is queued
    table.index(['queue_number']);
  });
  await knex.raw(
    `UPDATE uploads SET queue_number = queue.number
     FROM (SELECT id, row_number() OVER (ORDER BY queued_at, id) AS number FROM uploads WHERE queued_at IS NOT NULL) AS queue
     WHERE queue.id = uploads.id`,
  );
  await knex.schema.alterTable('orgs', (table) => {
    table.bigInteger('slot_mark').notNullable().defaultTo(0); // slots that began until then are over
    table.bigInteger('slot_owed'); // when a slot began that was not opened before the slots were changed
  });
  await knex.raw(
    `UPDATE orgs SET slot_mark = coalesce((SELECT max(opened_at) FROM runs WHERE org_id = orgs.id AND kind = 'slot'), 0)`,
  );
  // A slot is opened once by slot_mark: after a change of the time zone two slots may have one date and time.
  await knex.schema.alterTable('runs', (table) => {
    table.dropUnique(['org_id', 'slot_date', 'slot_time']);
    table.index(['org_id', 'id']);
  });
  await knex.schema.createTable('clock', (table) => {
    table.integer('id').primary(); // 1
    table.bigInteger('seen_at').notNullable(); // the last time that an importer trusted
    table.bigInteger('jumped_from'); // the last jump: the clock's time before it, and after it
    table.bigInteger('jumped_to');
    table.bigInteger('ahead_from'); // while it is ahead: the right time when that began, as far as is known
  });
  await knex('clock').insert({ id: 1, seen_at: 0 });
}
