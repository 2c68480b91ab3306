/** Control database: whether the installation was moved to another database, or is being moved into this one. */
import type { Knex } from 'knex';
import type { Migration } from './migrate.js';

export const moves: Migration = { name: '077_moves', up: addMoves };

async function addMoves(knex: Knex): Promise<void> {
  await knex.schema.createTable('moves', (table) => {
    table.integer('id').primary(); // 1; no row: the database is in use
    table.text('state').notNullable(); // copying (it is being filled), moved (another one is in use)
    table.text('move_id').notNullable(); // both databases of one move have the same
    table.text('pair_id').notNullable(); // of the installation
    table.text('other').notNullable(); // the other database, without secrets
    table.text('foreign_keys').notNullable(); // JSON: foreign keys that come back when it is filled
    table.bigInteger('audit_count').notNullable(); // records of the audit trail at the move
    table.bigInteger('at').notNullable();
  });
}
