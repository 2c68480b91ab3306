/** Directory database: former names of teams, and deactivation dates that an undo restores. */
import type { Knex } from 'knex';

export async function addRules(knex: Knex): Promise<void> {
  await knex.schema.createTable('team_aliases', (table) => {
    table.text('org_id').notNullable();
    table.text('name_key').notNullable(); // a file that has this name means the team
    table.text('name').notNullable();
    table.bigInteger('team_id').notNullable().references('teams.id').onDelete('CASCADE');
    table.bigInteger('created_at').notNullable();
    table.primary(['org_id', 'name_key']);
    table.index(['team_id']);
  });
  // How a user's deactivation stood before a run changed it: `changes` has the date and the status alone.
  await knex.schema.createTable('schedules_before', (table) => {
    table.bigInteger('run_id').notNullable();
    table.bigInteger('user_id').notNullable().references('users.id').onDelete('CASCADE');
    table.bigInteger('deactivate_at');
    table.bigInteger('deactivated_at');
    table.text('deactivated_by');
    table.primary(['run_id', 'user_id']);
    table.index(['user_id']);
  });
}
