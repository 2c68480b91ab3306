/** The lock that says which server a data folder belongs to. */
import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { shareLock, takeLock } from '../../db/lock.js';
import { sqliteDrivers } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';

for (const driver of sqliteDrivers)
  describe(`a lock (${driver})`, () => {
    test('one holder at a time, and free again after it', async (t) => {
      const file = join(temporaryFolder(t), 'new', 'serve.lock');
      const held = await takeLock(file, driver);
      assert.ok(held !== null);
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.equal(await takeLock(file, driver), null);
      await held.release();
      const next = await takeLock(file, driver);
      assert.ok(next !== null);
      await next.release();
    });

    test('many share a lock, and whoever wants it alone comes after them', async (t) => {
      const file = join(temporaryFolder(t), 'sessions.lock');
      const [one, two] = [await shareLock(file, driver, 0), await shareLock(file, driver, 0)];
      assert.ok(one !== null && two !== null);
      assert.equal(await takeLock(file, driver), null);
      await one.release();
      assert.equal(await takeLock(file, driver), null);
      await two.release();
      const alone = await takeLock(file, driver);
      assert.ok(alone !== null);
      assert.equal(await shareLock(file, driver, 0), null);
      const waiting = shareLock(file, driver, 30_000);
      await alone.release();
      const next = await waiting;
      assert.ok(next !== null);
      await next.release();
    });

    test('a file that can not be opened says which', async (t) => {
      const file = join(temporaryFolder(t), 'serve.lock');
      mkdirSync(file);
      await assert.rejects(takeLock(file, driver), { code: 'unavailable', message: /serve\.lock can't be opened/ });
    });
  });
