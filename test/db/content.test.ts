/** A copy between files that are not sealed alike has every row, sequence, index and trigger of the first one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cipherPragmas } from '../../db/sqlite/cipher.js';
import { convertFile } from '../../db/sqlite/convert.js';
import { openSqlite, sealingDriver } from '../../db/sqlite/drivers.js';
import { testDirectoryKey } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';

const statements = [
  'CREATE TABLE parents (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)',
  'CREATE TABLE "odd ""name""" (a, parent INTEGER REFERENCES parents (id), UNIQUE (a))',
  'CREATE TABLE keyed (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID',
  'CREATE UNIQUE INDEX names ON parents (name)',
  'CREATE INDEX some ON parents (id) WHERE name IS NOT NULL',
  "CREATE TRIGGER noted AFTER INSERT ON parents BEGIN INSERT INTO keyed VALUES ('t' || NEW.id, x'00ff'); END",
  'CREATE VIEW named AS SELECT name FROM parents',
  "INSERT INTO parents (name) VALUES ('n33dle'), (NULL), ('é')",
  'DELETE FROM parents WHERE id = 3',
  `INSERT INTO "odd ""name""" VALUES (1.5, 1), (NULL, 2)`,
  'PRAGMA user_version = 7',
];
const questions = [
  "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_autoindex%' ORDER BY name",
  'SELECT * FROM parents',
  'SELECT * FROM "odd ""name"""',
  'SELECT * FROM keyed',
  'SELECT * FROM sqlite_sequence',
  'PRAGMA user_version',
  'PRAGMA integrity_check',
];

test('sealed and unsealed again, a file has the same content', async (t) => {
  const file = join(temporaryFolder(t), 'some.db');
  const ask = async (key: string | null, asked: readonly string[]) => {
    const connection = await openSqlite(sealingDriver, file, { waitMs: 0, key });
    const answers = [];
    for (const sql of asked) answers.push((await connection.run(sql, [], true)).rows);
    await connection.close();
    return answers;
  };
  await ask(null, statements);
  const before = await ask(null, questions);
  await convertFile(file, null, testDirectoryKey);
  assert.ok(!readFileSync(file).includes('n33dle'));
  assert.deepEqual(await ask(testDirectoryKey, questions), before);
  await assert.rejects(ask(null, questions), { code: 'SQLITE_NOTADB' });
  await assert.rejects(ask('0'.repeat(64), questions), { code: 'SQLITE_NOTADB' });
  await convertFile(file, testDirectoryKey, null);
  assert.deepEqual(await ask(null, questions), before);
});

test('a file that another process has open is not converted', async (t) => {
  const file = join(temporaryFolder(t), 'some.db');
  const open = await openSqlite(sealingDriver, file, { waitMs: 0 });
  t.after(() => open.close());
  for (const sql of ['PRAGMA journal_mode = WAL', 'CREATE TABLE t (a)']) await open.execute(sql);
  await assert.rejects(convertFile(file, null, testDirectoryKey, undefined, 0), /another process has .*some\.db open/);
});

test('only 64 hexadecimal digits are a key, and only one driver takes it', async (t) => {
  assert.throws(() => cipherPragmas(`0'; DROP TABLE users; --`), /64 hexadecimal digits/);
  const file = join(temporaryFolder(t), 'some.db');
  await assert.rejects(openSqlite('sqlite3', file, { waitMs: 0, key: testDirectoryKey }), /opens no sealed file/);
});
