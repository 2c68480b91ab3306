/** Tests that statements which wait run in their order, and with the values that a binding would give. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { insertLater, openScript, readAhead, runLater, withValues } from '../../db/script.js';
import { openFresh, sqliteDrivers } from '../support/databases.js';
import { fc } from '../support/properties.js';

for (const driver of sqliteDrivers) {
  test(`a value in a statement is the value that was given (${driver})`, async (t) => {
    const { directory } = await openFresh(t, 'sqlite', driver);
    const script = openScript(directory.write, 'sqlite');
    const value = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.constantFrom("'", "''", "');DROP TABLE users;--", '\0', 'a\0b', ':other', '?', '\\', '\n', 'x'.repeat(5000)),
      fc.maxSafeInteger(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constant(null),
    );
    await fc.assert(
      fc.asyncProperty(value, value, async (one, other) => {
        const [row] = await script.rows<{ one: unknown; other: unknown }>('SELECT :one AS one, :other AS other', {
          one,
          other,
        });
        assert.deepEqual({ ...row }, { one: Object.is(one, -0) ? 0 : one, other: Object.is(other, -0) ? 0 : other });
      }),
      { numRuns: 60 },
    );
  });

  test(`statements wait for the next query, and run in their order (${driver})`, async (t) => {
    const { directory } = await openFresh(t, 'sqlite', driver);
    const numbers = async (script: ReturnType<typeof openScript>) =>
      (await script.rows<{ n: number }>('SELECT n FROM numbers ORDER BY rowid')).map(({ n }) => n);
    const script = openScript(directory.write, 'sqlite');
    await script.run('CREATE TABLE numbers (n INT, text TEXT)');
    await script.run('INSERT INTO numbers (n) VALUES (:n)', { n: 1 });
    assert.equal((await directory.write('sqlite_master').where({ name: 'numbers' })).length, 0);
    await script.run('INSERT INTO numbers (n, text) VALUES (:n, :text)', { n: 2, text: 'x'.repeat(10_000) });
    await script.run('INSERT INTO numbers (n) VALUES (:n)', { n: 3 });
    assert.deepEqual(await numbers(script), [1, 2, 3]);
    await script.run('INSERT INTO nowhere (n) VALUES (4)');
    await script.run('INSERT INTO numbers (n) VALUES (5)');
    await assert.rejects(script.flush(), { code: 'SQLITE_ERROR' });
    assert.deepEqual(await numbers(script), [1, 2, 3]);
    const failing = directory.write.transaction(async (tx) => {
      const inside = openScript(tx, 'sqlite');
      await inside.run('INSERT INTO numbers (n) VALUES (6)');
      assert.deepEqual(await numbers(inside), [1, 2, 3, 6]);
      throw new Error('rolled back');
    });
    await assert.rejects(failing, /rolled back/);
    assert.deepEqual(await numbers(script), [1, 2, 3]);
  });
}

for (const driver of sqliteDrivers) {
  test(`what runs later runs with the next query of its transaction, or its COMMIT, or not at all (${driver})`, async (t) => {
    const { directory } = await openFresh(t, 'sqlite', driver);
    await directory.write.raw('CREATE TABLE numbers (n INT UNIQUE, text TEXT)');
    const stored = () => directory.read('numbers').orderBy('n').pluck('n');
    await directory.transact(async (tx) => {
      await insertLater(tx, 'numbers', { n: 1, text: "it's 1" });
      assert.deepEqual(await readAhead(tx, 'SELECT n FROM numbers WHERE n = ?', [1]), []);
      await runLater(tx, 'UPDATE numbers SET text = :text WHERE n = 1', { text: 'x'.repeat(9_000) });
      assert.deepEqual(await tx('numbers').pluck('text'), ['x'.repeat(9_000)]);
      await insertLater(tx, 'numbers', { n: 2, text: null });
      const script = openScript(tx, 'sqlite');
      await script.run('INSERT INTO numbers (n) VALUES (3)');
      assert.deepEqual(await script.rows('SELECT count(*) AS count FROM numbers'), [{ count: 3 }]);
      await script.run('INSERT INTO numbers (n) VALUES (4)');
      await script.leave();
    });
    assert.deepEqual(await stored(), [1, 2, 3, 4]);

    const failing = directory.transact(async (tx) => {
      await insertLater(tx, 'numbers', { n: 5, text: null });
      await insertLater(tx, 'numbers', { n: 1, text: null });
      await insertLater(tx, 'numbers', { n: 6, text: null });
    });
    await assert.rejects(failing, { code: 'SQLITE_CONSTRAINT' });
    const leaving = directory.transact(async (tx) => {
      await insertLater(tx, 'numbers', { n: 7, text: null });
      throw new Error('rolled back');
    });
    await assert.rejects(leaving, /rolled back/);
    await directory.transact(async (tx) => {
      await insertLater(tx, 'numbers', { n: 8, text: null });
      await tx.raw('SAVEPOINT part');
      await insertLater(tx, 'numbers', { n: 9, text: null });
      await tx.raw('ROLLBACK TO SAVEPOINT part');
      await tx.raw('RELEASE SAVEPOINT part');
    });
    assert.deepEqual(await stored(), [1, 2, 3, 4, 8]);
    await insertLater(directory.write, 'numbers', { n: 10, text: null });
    assert.deepEqual(await stored(), [1, 2, 3, 4, 8, 10]);
  });
}

test('a name without a value is left as it is, and a text that would end the statement is bound', () => {
  assert.equal(withValues("SELECT ':a', ':b'", { a: 1 }), "SELECT '1', ':b'");
  assert.equal(withValues('SELECT :a', { a: 'x\0' }), null);
  assert.equal(withValues('SELECT :a', { a: 0.5 }), null);
  assert.equal(withValues('SELECT :a', { a: "it's :a" }), "SELECT 'it''s :a'");
});
