/** The events of a transaction cost as much as its changes, however long the history is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changesMark, recordDirectoryEvents } from '../../../db/directory/events.js';
import { recordChanges } from '../../../db/directory/history.js';
import type { SqliteConnection } from '../../../db/sqlite/driver.js';
import { openFresh } from '../../support/databases.js';

const at = 1_764_400_000_000;
const created = (id: number) =>
  ({ org: 'acme', entity: 'user', entityId: String(id), field: '', before: null, after: '{}', at }) as const;

test('SQLite reads the new changes alone where they are few', async (context) => {
  const { directory } = await openFresh(context, 'sqlite');
  await directory.write.transaction(async (tx) => {
    await recordChanges(
      tx,
      Array.from({ length: 200 }, (_, id) => created(id)),
    );
    const mark = await changesMark(tx);
    await recordChanges(tx, [created(1000), created(1001)]);
    // It runs with the next query: values stand in its text.
    const connection: SqliteConnection = await tx.client.acquireConnection();
    const { execute } = connection;
    const sent: string[] = [];
    connection.execute = (sql) => {
      sent.push(sql);
      return execute(sql);
    };
    await recordDirectoryEvents(tx, 'acme', mark, at);
    assert.equal(await changesMark(tx), mark + 2);
    connection.execute = execute;
    assert.equal(sent.length, 1);
    const statements = sent[0]!.split(/(?=INSERT INTO events)/);
    assert.equal(statements.length, 2);
    for (const statement of statements) {
      const plan: { detail: string }[] = await tx.raw(`EXPLAIN QUERY PLAN ${statement}`);
      const steps = plan.map(({ detail }) => detail);
      assert.ok(
        steps.some((step) => /^SEARCH c USING INTEGER PRIMARY KEY/.test(step)),
        steps.join('\n'),
      );
      assert.ok(!steps.some((step) => /^SCAN c\b/.test(step)), steps.join('\n'));
    }
    const events = await tx('events').orderBy('seq').pluck('entity_id');
    assert.deepEqual(events, ['1000', '1001']);
  });
});

test('of users whom a plan creates neither the changes nor a second event are written, and later changes of them are theirs', async (context) => {
  const { directory } = await openFresh(context, 'sqlite');
  await directory.write.transaction(async (tx) => {
    const change = (entity: 'user' | 'team', id: number, field: string, after: string) =>
      ({ org: 'acme', entity, entityId: String(id), field, before: null, after, at }) as const;
    await recordChanges(tx, [{ ...created(1), entity: 'field', entityId: 'f1' }]);
    const after = await changesMark(tx);
    await recordChanges(tx, [created(50), created(51), change('user', 51, 'Teams', 'Ops')]);
    const upTo = await changesMark(tx);
    await recordChanges(tx, [
      { ...created(9), entity: 'team' },
      change('user', 51, 'User Name', 'Eve'),
      change('user', 7, 'User Name', 'Bob'),
    ]);
    const rows =
      "SELECT 1 AS n, 50 AS id, 'active' AS status, NULL AS deactivate_at UNION ALL SELECT 3, 51, 'deactivated', 5";
    await recordDirectoryEvents(tx, 'acme', 0, at, { rows, runId: 4, changes: { after, upTo } });
    const events = await tx('events').orderBy('seq').select('id', 'type', 'entity_id', 'run_id');
    assert.deepEqual(
      events.map(({ type, entity_id, run_id }) => `${type} ${entity_id} ${run_id}`),
      [
        'user.created 50 4',
        'user.created 51 4',
        'user.deactivated 51 4',
        'user.deactivation_scheduled 51 4',
        'field.created f1 null',
        'team.created 9 null',
        'user.updated 7 null',
      ],
    );
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
  });
});

test('no two events have the same last digits, also of plans that begin at the same mark', async (context) => {
  const { directory } = await openFresh(context, 'sqlite');
  await directory.write.transaction(async (tx) => {
    const one = (id: number) => ({
      rows: `SELECT 1 AS n, ${id} AS id, 'deactivated' AS status, 5 AS deactivate_at`,
      ...{ runId: id, changes: null },
    });
    await recordDirectoryEvents(tx, 'acme', 0, at, one(50));
    await recordDirectoryEvents(tx, 'other', 0, at, one(51));
    await recordChanges(
      tx,
      Array.from({ length: 60 }, (_, id) => created(id)),
    );
    await recordDirectoryEvents(tx, 'acme', 0, at);
    const ids: string[] = await tx('events').pluck('id');
    assert.equal(ids.length, 66);
    assert.equal(new Set(ids.map((id) => id.slice(-10))).size, ids.length);
  });
});
