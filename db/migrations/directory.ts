/** The directory database's schema: users, teams, memberships, custom fields, changes, applied runs. */

import type { Knex } from 'knex';
import { dialectOf } from '../dialect.js';
import { changesAt } from './changes.js';
import { erasedPeople, pendingErasures } from './erasures.js';
import { directoryEvents } from './events.js';
import { fences } from './fences.js';
import { fieldOrigins } from './fieldorigins.js';
import { fieldChoices } from './fields.js';
import { addFormerEmails } from './former.js';
import { addGuardCounts } from './guardcounts.js';
import { knownRows } from './known.js';
import type { Migration } from './migrate.js';
import { omission } from './omission.js';
import { directoryPair } from './pair.js';
import { addRules } from './rules.js';
import { userCounts } from './usercounts.js';

export const directoryMigrations: readonly Migration[] = [
  { name: '001_begin', up: begin },
  { name: '002_rules', up: addRules },
  fieldChoices,
  { name: '010_former_emails', up: addFormerEmails },

  changesAt,

  knownRows,

  { name: '030_guard_counts', up: addGuardCounts },

  fieldOrigins,

  omission,
  erasedPeople,
  directoryPair,
  directoryEvents,
  pendingErasures,
  userCounts,
  fences,
];

/** Times are milliseconds since 1970; flags are 0 or 1; `…_key` is the compared form of the text beside it. */
async function begin(knex: Knex): Promise<void> {
  const isPostgres = dialectOf(knex) === 'postgres';

  await knex.schema.createTable('users', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable();
    table.text('email').notNullable();
    table.text('email_key').notNullable();
    table.text('user_name');
    table.text('first_name');
    table.text('last_name');
    table.bigInteger('manager_id');
    table.text('account_type').notNullable(); // Regular, Observer
    table.integer('is_admin').notNullable();
    table.text('status').notNullable(); // active, deactivated
    table.text('deactivation_date'); // yyyy-mm-dd as last given
    table.bigInteger('deactivate_at'); // scheduled
    table.bigInteger('deactivated_at');
    table.text('deactivated_by'); // import, owner of the change
    if (isPostgres) table.jsonb('custom').notNullable().defaultTo('{}');
    else table.text('custom').notNullable().defaultTo('{}'); // JSON: field id → text
    table.bigInteger('created_at').notNullable();
    table.bigInteger('updated_at').notNullable();
    table.unique(['org_id', 'email_key']);
    table.index(['manager_id']);
  });
  await knex.raw('CREATE INDEX users_due ON users (deactivate_at) WHERE deactivate_at IS NOT NULL');
  await knex.raw('CREATE INDEX users_admins ON users (org_id) WHERE is_admin = 1');

  await knex.schema.createTable('teams', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable();
    table.text('name').notNullable();
    table.text('name_key').notNullable();
    table.bigInteger('owner_id');
    table.bigInteger('parent_id');
    table.text('type');
    table.bigInteger('created_at').notNullable();
    table.bigInteger('updated_at').notNullable();
    table.unique(['org_id', 'name_key']);
    table.index(['parent_id']);
  });

  await knex.schema.createTable('memberships', (table) => {
    table.bigInteger('user_id').notNullable().references('users.id').onDelete('CASCADE');
    table.bigInteger('team_id').notNullable().references('teams.id').onDelete('CASCADE');
    table.primary(['user_id', 'team_id']);
    table.index(['team_id']);
  });

  await knex.schema.createTable('fields', (table) => {
    table.text('id').primary(); // random; the key in users.custom
    table.text('org_id').notNullable();
    table.text('label').notNullable();
    table.text('label_key').notNullable();
    table.text('type').notNullable(); // text, boolean, date
    table.integer('position').notNullable();
    table.bigInteger('created_at').notNullable();
    table.unique(['org_id', 'label_key']);
  });

  await knex.schema.createTable('changes', (table) => {
    table.bigIncrements('id');
    table.text('org_id').notNullable();
    table.bigInteger('run_id'); // null: a scheduled deactivation, or the organization's owner
    table.bigInteger('upload_id');
    table.integer('line'); // null: no line of a file says it
    table.text('entity').notNullable(); // user, team, field
    table.text('entity_id').notNullable();
    table.text('field').notNullable(); // a standard label, a custom field's label; '' for the creation itself
    table.text('before');
    table.text('after'); // for a creation: JSON of the values by label
    table.bigInteger('at').notNullable();
    table.index(['entity', 'entity_id']);
    table.index(['run_id']);
  });

  await knex.schema.createTable('applied_runs', (table) => {
    table.bigInteger('run_id').primary();
    table.text('org_id').notNullable();
    table.bigInteger('at').notNullable();
    table.text('outcome').notNullable(); // JSON: all that settling the run needs
  });

  await knex.schema.createTable('applied_uploads', (table) => {
    table.bigInteger('upload_id').primary(); // an upload is applied once
    table.bigInteger('run_id').notNullable().references('applied_runs.run_id');
  });

  await knex.schema.createTable('org_versions', (table) => {
    table.text('org_id').primary();
    table.bigInteger('version').notNullable(); // rises with every write to the organization's directory
  });
}
