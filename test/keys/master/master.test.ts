/** The master key: made once, private, and refused with a reason when it is not what it should be. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathsOf } from '../../../config/paths.js';
import { loadMaster, loadOrCreateMaster } from '../../../keys/master/master.js';
import { temporaryFolder } from '../../support/temporary.js';

function freshPaths(t: TestContext) {
  return pathsOf({ data: temporaryFolder(t), masterKey: undefined });
}

test('the first start makes a private key, the next one finds it', async (t) => {
  const paths = freshPaths(t);
  const first = await loadOrCreateMaster(paths);
  assert.equal(first.created, true);
  assert.match(first.master.identity, /^AGE-SECRET-KEY-1[A-Z0-9]{58}$/);
  assert.match(first.master.recipient, /^age1[a-z0-9]{58}$/);
  assert.equal(statSync(paths.masterKey).mode & 0o777, 0o600);
  assert.equal(statSync(paths.keys).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(paths.keys), ['master.key']);
  assert.deepEqual(await loadOrCreateMaster(paths), { master: first.master, created: false });
  assert.deepEqual(await loadMaster(paths), first.master);
});

test('processes that start together end with one key', async (t) => {
  const paths = freshPaths(t);
  const results = await Promise.all(Array.from({ length: 8 }, () => loadOrCreateMaster(paths)));
  assert.equal(new Set(results.map(({ master }) => master.identity)).size, 1);
  assert.equal(results.filter(({ created }) => created).length, 1);
  assert.match(readFileSync(paths.masterKey, 'utf8'), new RegExp(results[0]!.master.identity));
});

test('a missing, unreadable or malformed key is told with what to do, and never quoted', async (t) => {
  const paths = freshPaths(t);
  await assert.rejects(loadMaster(paths), { name: 'KeyError', code: 'missing', message: /restore it from the backup/ });
  await loadOrCreateMaster(paths);
  for (const content of ['', '# nothing\n', 'AGE-SECRET-KEY-1SECRET\n', 'a\nb\n']) {
    writeFileSync(paths.masterKey, content);
    await assert.rejects(loadMaster(paths), (error: Error & { code: string }) => {
      assert.equal(error.code, 'malformed');
      assert.doesNotMatch(error.message, /1SECRET/);
      return true;
    });
  }
  await assert.rejects(loadOrCreateMaster(paths), { code: 'malformed' });
  const folder = pathsOf({ data: paths.data, masterKey: paths.keys });
  await assert.rejects(loadMaster(folder), { code: 'unreadable' });
  await assert.rejects(loadOrCreateMaster({ masterKey: join(paths.masterKey, 'below', 'a-file') }), {
    code: 'unreadable',
  });
});
