/** Emails that users gave up for another one: a file that still has one means them, as long as nobody else has it (U15). */
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
