/** Former emails of users: a file that still has one means its former user, unless another user has it now (U15). */
import type { Knex } from 'knex';

export async function addFormerEmails(knex: Knex): Promise<void> {
  await knex.schema.createTable('former_emails', (table) => {
    table.text('org_id').notNullable();
    table.text('email_key').notNullable();
    table.bigInteger('user_id').notNullable().references('users.id').onDelete('CASCADE');
    table.primary(['org_id', 'email_key']);
    table.index(['user_id']);
  });
}
