/**
 * Both databases: the number of each claim of an organization's work, and the highest one that its directory has seen; and which
 * versions of Dropslot can work with the schema.
 */
import type { Knex } from 'knex';
import { makeSchemaLevel } from './level.js';
import type { Migration } from './migrate.js';

export const claimEpochs: Migration = { name: '093_claim_epochs', up: addEpochs };
export const fences: Migration = { name: '094_fences', up: addFences };

async function addEpochs(knex: Knex): Promise<void> {
  await knex.schema.alterTable('import_turns', (table) => {
    table.bigInteger('epoch').notNullable().defaultTo(0); // rises with every claim of a run of the organization
  });
  // In the order in which importers take them, whatever number waits.
  await knex.raw("CREATE INDEX runs_waiting ON runs (attempts, id) WHERE state IN ('open', 'running')");
  await makeSchemaLevel(knex);
}

async function addFences(knex: Knex): Promise<void> {
  await knex.schema.alterTable('org_versions', (table) => {
    table.bigInteger('fence').notNullable().defaultTo(0); // no claim with a smaller number applies anything
  });
  await makeSchemaLevel(knex);
}
