/** The outbox of events in both databases; subscribers, their deliveries and replays in the control database. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const controlEvents: Migration = { name: '040_events', up: addToControl };
export const directoryEvents: Migration = { name: '040_events', up: addToDirectory };

async function addToControl(knex: Knex): Promise<void> {
  await knex.schema.createTable('events', (table) => {
    table.bigIncrements('seq'); // in the order of commits: it is taken under the lock of audit_head
    table.text('id').notNullable().unique(); // evt_…
    table.text('org_id'); // kept when the organization is removed
    table.text('type').notNullable();
    table.bigInteger('at').notNullable();
    table.bigInteger('run_id');
    table.text('subject').notNullable();
    table.text('data').notNullable(); // JSON
    table.index(['run_id']);
    table.index(['at']);
  });
  await knex.schema.createTable('subscribers', (table) => {
    table.text('id').primary(); // sub_…
    table.text('kind').notNullable(); // webhook, command, …
    table.text('org_id').references('orgs.id').onDelete('CASCADE'); // null: events of all organizations
    table.text('types').notNullable(); // JSON array of patterns
    table.text('options').notNullable(); // JSON, of the kind
    table.text('secret'); // sealed to the master key; null: the kind has none
    table.text('description');
    table.text('state').notNullable(); // enabled, disabled
    table.text('reason'); // why it is disabled
    table.bigInteger('created_at').notNullable();
    // What it has had: every event of the two databases up to these.
    table.bigInteger('control_seq').notNullable();
    table.bigInteger('directory_seq').notNullable();
    table.bigInteger('batch_to'); // the last event of the batch that is under way, so that a retry sends the same
    table.integer('failures').notNullable().defaultTo(0); // in a row
    table.bigInteger('failing_since');
    table.bigInteger('next_at'); // no attempt before
    table.text('lease_owner');
    table.bigInteger('lease_until');
    table.index(['org_id']);
  });
  await knex.schema.createTable('deliveries', (table) => {
    table.bigIncrements('id');
    table.text('subscriber_id').notNullable().references('subscribers.id').onDelete('CASCADE');
    table.bigInteger('at').notNullable();
    table.bigInteger('ms').notNullable();
    table.text('event_id').notNullable(); // the first one of a batch
    table.text('type').notNullable(); // its type; batch
    table.integer('events').notNullable();
    table.integer('attempt').notNullable();
    table.text('outcome').notNullable(); // delivered, failed
    table.text('detail').notNullable(); // HTTP 204, exit code 1, …
    table.index(['subscriber_id', 'id']);
  });
  await knex.schema.createTable('event_replays', (table) => {
    table.bigIncrements('id');
    table.text('subscriber_id').notNullable().references('subscribers.id').onDelete('CASCADE');
    table.text('filter').notNullable(); // JSON: org, types, since, until
    table.bigInteger('control_seq').notNullable();
    table.bigInteger('control_to').notNullable();
    table.bigInteger('directory_seq').notNullable();
    table.bigInteger('directory_to').notNullable();
    table.bigInteger('batch_to');
    table.index(['subscriber_id']);
  });
  // Conditions that an event has been recorded of, so that it is recorded once.
  await knex.schema.createTable('event_marks', (table) => {
    table.text('name').primary();
    table.bigInteger('at').notNullable();
  });
}

async function addToDirectory(knex: Knex): Promise<void> {
  await knex.schema.createTable('events', (table) => {
    table.bigIncrements('seq'); // in the order of commits: on PostgreSQL it is taken under the lock of event_head
    table.text('id').notNullable(); // evt_…
    table.text('org_id').notNullable();
    table.text('type').notNullable();
    table.text('entity').notNullable(); // user, team, field
    table.text('entity_id').notNullable();
    table.bigInteger('run_id'); // null: a scheduled deactivation, or an operator's change of a field
    table.bigInteger('at').notNullable();
    table.index(['id']);
  });
  await knex.raw('CREATE INDEX events_run ON events (run_id, seq) WHERE run_id IS NOT NULL');
  await knex.schema.createTable('event_head', (table) => {
    table.integer('id').primary();
    table.bigInteger('locked').notNullable();
  });
  await knex('event_head').insert({ id: 1, locked: 0 });
}
