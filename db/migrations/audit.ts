/** Control database: the chain of the audit trail. Records of before are chained in the order in which they were written. */
import type { Knex } from 'knex';
import { beginning, hashRecord } from '../control/auditchain.js';
import type { Migration } from './migrate.js';

export const auditChain: Migration = { name: '005_audit', up: addChain };

const pageRows = 1000;

async function addChain(knex: Knex): Promise<void> {
  await knex.schema.alterTable('audit', (table) => {
    table.bigInteger('seq'); // 1, 2, 3 …: without a gap, whatever the ids do
    table.text('hash'); // SHA-256, hex
  });
  // One row. Each writer of the trail updates it, so that writers of all nodes take turns.
  await knex.schema.createTable('audit_head', (table) => {
    table.integer('id').primary();
    table.bigInteger('count').notNullable();
    table.text('hash').notNullable(); // of the last record
  });
  await knex('audit_head').insert({ id: 1, ...(await chainExisting(knex)) });
  await knex.schema.alterTable('audit', (table) => {
    table.unique(['seq']);
  });
}

async function chainExisting(knex: Knex): Promise<{ count: number; hash: string }> {
  let hash = beginning;
  let seq = 0;
  for (let afterId = 0; ; ) {
    const rows = await knex('audit').where('id', '>', afterId).orderBy('id').limit(pageRows);
    for (const { id, at, org_id: org, actor, action, subject, detail } of rows) {
      seq += 1;
      hash = hashRecord(hash, { seq, at, org, actor, action, subject, detail });
      await knex('audit').where({ id }).update({ seq, hash });
    }
    if (rows.length < pageRows) return { count: seq, hash };
    afterId = rows.at(-1).id;
  }
}
