/** Tests that rows which are inserted into a stage are those that were given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStage, requireWhole } from '../../db/stage.js';
import { createTable, insertRows, rows, run } from '../../db/stagesql.js';
import { onEveryDatabase } from '../support/databases.js';
import { fc } from '../support/properties.js';

onEveryDatabase('rows of a stage', (open) => {
  test('a stage that PostgreSQL has emptied, as after a crash, is told from one that is whole', async (t) => {
    const { settings, directory } = await open(t);
    const stage = await openStage(settings, directory, 'run_1_1');
    await requireWhole(stage, stage.db);
    if (stage.dialect === 'postgres') {
      await run(stage, `TRUNCATE ${stage.prefix}.whole`);
      await assert.rejects(requireWhole(stage, stage.db), { code: 'conflict', message: /its plan is lost/ });
      await stage.drop();
      await assert.rejects(requireWhole(stage, stage.db), { code: 'conflict', message: /its plan is lost/ });
    }
    await stage.drop();
  });

  test('a large stage has larger pages, and the next small one has not', async (t) => {
    const { settings, directory } = await open(t);
    for (const isLarge of [true, false, true]) {
      const stage = await openStage(settings, directory, 'run_1_1', isLarge);
      await createTable(stage, 'kept', 'n INT');
      await insertRows(stage, 'kept', ['n INT'], [[1], [2]]);
      assert.equal((await rows(stage, `SELECT n FROM ${stage.prefix}.kept`)).length, 2);
      if (stage.dialect === 'sqlite') {
        const [pages] = await rows<{ page_size: number }>(stage, `PRAGMA ${stage.prefix}.page_size`);
        assert.equal(pages!.page_size, isLarge ? 16_384 : 4096);
      }
      await stage.drop();
    }
  });

  test('texts, numbers and JSON come back as they are', async (t) => {
    const { settings, directory } = await open(t);
    const stage = await openStage(settings, directory, 'run_1_1');
    await createTable(stage, 'kept', 'n INT, text TEXT, number BIGINT, json TEXT');
    const hostile = ["'", "''", "');DROP TABLE users;--", ':other', '?', '\\', '\n', ';', 'x'.repeat(300_000)];
    // PostgreSQL has no text with NUL.
    if (directory.dialect === 'sqlite') hostile.push('\0', "a\0');b");
    const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.constantFrom(...hostile));
    const safe = directory.dialect === 'sqlite' ? text : text.filter((one) => !one.includes('\0'));
    const row = fc.record({
      text: fc.option(safe),
      number: fc.option(fc.maxSafeInteger()),
      json: fc.option(fc.dictionary(safe, safe, { maxKeys: 3 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 20 }), async (given) => {
        await run(stage, `DELETE FROM ${stage.prefix}.kept`);
        const values = given.map((one, n) => [n, one.text, one.number, one.json]);
        await insertRows(stage, 'kept', ['n INT', 'text TEXT', 'number BIGINT', 'json JSON'], values);
        const kept = await rows<{ text: string | null; number: number | null; json: string | null }>(
          stage,
          `SELECT text, number, json FROM ${stage.prefix}.kept ORDER BY n`,
        );
        const read = kept.map((one) => ({ ...one, json: one.json === null ? null : JSON.parse(one.json) }));
        assert.deepEqual(
          read,
          given.map(({ json, ...one }) => ({ ...one, json: json === null ? null : { ...json } })),
        );
      }),
      { numRuns: 40 },
    );
    await stage.drop();
  });
});
