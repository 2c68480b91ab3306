/** Penalties of addresses, as every node sees them, and which login keys may sign with SHA-1. */
import type { Knex } from 'knex';

export async function addDoors(knex: Knex): Promise<void> {
  await knex.schema.createTable('penalties', (table) => {
    table.bigIncrements('id'); // a new one each time that a penalty begins
    table.text('source').notNullable().unique(); // an IPv4 address, or an IPv6 /64
    table.bigInteger('until_at').notNullable();
    table.integer('strikes').notNullable(); // penalties in a row
    table.text('cause').notNullable();
    table.bigInteger('began_at').notNullable();
    table.index(['until_at']);
  });
  await knex.schema.createTable('pardons', (table) => {
    table.bigIncrements('id');
    table.text('source'); // null: every source
    table.bigInteger('at').notNullable();
  });
  await knex.schema.alterTable('login_keys', (table) => {
    table.integer('allow_sha1').notNullable().defaultTo(0); // signatures of ssh-rsa, on a compatible port only
  });
}
