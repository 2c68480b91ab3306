/** What differs between SQLite drivers is hidden behind db/sqlite/: errors, numbers, waiting for locks, a missing package. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { globSync } from 'tinyglobby';
import { pathsOf } from '../../config/paths.js';
import { settingsSchema } from '../../config/settings.js';
import { openControl } from '../../db/connection.js';
import { insertOrg } from '../../db/control/orgs.js';
import { isUniqueViolation } from '../../db/error.js';
import { openSqlite } from '../../db/sqlite/drivers.js';
import { openFresh, sqliteDrivers } from '../support/databases.js';
import { runDropslot } from '../support/program.js';
import { sampleOrg } from '../support/samples.js';
import { temporaryFolder } from '../support/temporary.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

for (const driver of sqliteDrivers)
  describe(`SQLite by ${driver}`, () => {
    test('errors have the primary code, in front of the message too', async (t) => {
      const { control } = await openFresh(t, 'sqlite', driver);
      await insertOrg(control.write, sampleOrg('acme'));
      const again = control.write('orgs').insert(await control.read('orgs').first());
      await assert.rejects(again, (error: Error & { code: string }) => {
        assert.equal(error.code, 'SQLITE_CONSTRAINT');
        assert.match(error.message, / - SQLITE_CONSTRAINT: UNIQUE constraint failed/);
        return isUniqueViolation(error);
      });
      const missing = openSqlite(driver, join(temporaryFolder(t), 'none.db'), { waitMs: 0, mustExist: true });
      await assert.rejects(missing, { code: 'SQLITE_CANTOPEN' });
    });

    test('whole numbers, yes and no, and bytes are stored as what they are', async (t) => {
      const { control } = await openFresh(t, 'sqlite', driver);
      const [row] = await control.read.raw(
        "SELECT typeof(?) AS small, ? || '' AS text, typeof(?) AS flag, typeof(?) AS part, typeof(?) AS bytes, ? + 0 AS large",
        [7, 7, true, 1.5, Buffer.from('x'), 2 ** 40],
      );
      assert.deepEqual(row, {
        small: 'integer',
        text: '7',
        flag: 'integer',
        part: 'real',
        bytes: 'blob',
        large: 2 ** 40,
      });
    });

    test('a write waits for a lock without stopping the event loop, and not for ever', async (t) => {
      const { control, settings } = await openFresh(t, 'sqlite', driver);
      const hasty = await openControl(settings, 20);
      t.after(() => hasty.close());
      const patient = await openControl(settings, 60_000);
      t.after(() => patient.close());
      const holder = await control.write.transaction();
      await assert.rejects(insertOrg(hasty.write, sampleOrg('hasty')), { code: 'SQLITE_BUSY' });
      // The holder is of this process: it could not end while a waiting statement stopped the event loop.
      const waiting = insertOrg(patient.write, sampleOrg('patient'));
      await control.read.raw('SELECT 1');
      await holder.rollback();
      await waiting;
      assert.deepEqual(await control.read('orgs').pluck('id'), ['patient']);
    });

    test('opening a new file waits for a connection that reads it, or writes it, before the journal is changed', async (t) => {
      for (const statements of [
        ['BEGIN', 'SELECT count(*) FROM sqlite_master'],
        ['BEGIN IMMEDIATE'],
        ['BEGIN EXCLUSIVE'],
      ]) {
        const settings = settingsSchema.parse({ data: temporaryFolder(t), sqliteDriver: driver });
        const holder = await openSqlite(driver, pathsOf(settings).control, { waitMs: 0 });
        for (const statement of ['CREATE TABLE t (n)', ...statements]) await holder.execute(statement);
        const opening = openControl(settings, 60_000);
        const isOpen = await Promise.race([opening.then(() => true), sleep(200, false)]);
        assert.equal(isOpen, false, statements.join());
        await holder.execute('COMMIT');
        await holder.close();
        await (await opening).close();
      }
    });

    test('a statement that is run again reads new values, a changed table, and leaves no lock behind', async (t) => {
      const connection = await openSqlite(driver, join(temporaryFolder(t), 'kept.db'), { waitMs: 0 });
      const rows = async (sql: string, ...values: unknown[]) => (await connection.run(sql, values, true)).rows;
      await connection.execute('CREATE TABLE t (n INTEGER UNIQUE)');
      const insert = 'INSERT INTO t (n) VALUES (?)';
      const insertAsking = 'INSERT INTO t (n) VALUES (?) RETURNING n';
      for (const n of [1, 2]) assert.equal((await connection.run(insert, [n], false)).changes, 1);
      assert.deepEqual(await rows(insertAsking, 3), [{ n: 3 }]);
      // Its rows are not asked for: it must have ended all the same.
      await connection.run(insertAsking, [4], false);
      const select = 'SELECT * FROM t WHERE n >= ? ORDER BY n';
      assert.equal((await rows(select, 0)).length, 4);
      await assert.rejects(connection.run(insert, [1], false), { code: 'SQLITE_CONSTRAINT' });
      assert.equal((await connection.run(insert, [5], false)).changes, 1);
      await connection.execute('ALTER TABLE t ADD COLUMN more TEXT');
      assert.deepEqual(await rows(select, 5), [{ n: 5, more: null }]);
      for (let n = 0; n < 150; n++) assert.deepEqual(await rows(`SELECT ? + ${n} AS sum`, 1), [{ sum: n + 1 }]);
      const large = 'x'.repeat(100_000);
      for (const text of [large, 'y', large]) assert.deepEqual(await rows('SELECT ? AS text', text), [{ text }]);
      assert.deepEqual(await Promise.all([rows(select, 5), rows(select, 6)]), [[{ n: 5, more: null }], []]);
      // Both fail while a statement has not ended.
      await connection.execute('VACUUM');
      await connection.close();
    });

    test('knex writes nothing to the console', async (t) => {
      const { control } = await openFresh(t, 'sqlite', driver);
      const log = t.mock.method(console, 'log', () => {});
      await control.write.transaction(async () => {}, { isolationLevel: 'serializable' }); // knex warns of it
      control.write.client.logger.error('an error of knex');
      assert.equal(log.mock.callCount(), 0);
    });
  });

test('a driver that is not installed: the error says what to do', async (t) => {
  const folder = temporaryFolder(t);
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('better-sqlite3')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true, dereference: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'), { dereference: true });
  const data = join(folder, 'data');
  const add = (env: Record<string, string>) =>
    runDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test'], {
      ...{ data, env },
      entry: join(folder, 'dist', 'app', 'main.js'),
    });
  const sealed = await add({ DROPSLOT_SEAL_DIRECTORY: 'on' });
  assert.equal(sealed.code, 5);
  assert.match(sealed.stderr, /run "npm install better-sqlite3-multiple-ciphers@12" in Dropslot's folder/);
  assert.equal(existsSync(join(data, 'keys', 'master.key')), false);
  const { code, stderr } = await add({ DROPSLOT_SQLITE_DRIVER: 'better-sqlite3' });
  assert.equal(code, 5);
  assert.match(stderr, /better-sqlite3 is not installed: run "npm install better-sqlite3@12" in Dropslot's folder/);
});

test('only db/sqlite/ names a driver', () => {
  const rooms = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8')).include as string[];
  const files = globSync(
    rooms.map((room) => `${room}/**/*.ts`),
    { cwd: root },
  );
  const naming = files.filter((file) =>
    /(from|import\(|load\w+\() ?'(better-)?sqlite3[-'\w]/.test(readFileSync(join(root, file), 'utf8')),
  );
  assert.deepEqual(naming.sort(), ['db/sqlite/drivers.ts', 'db/sqlite/sqlite3.ts']);
});
