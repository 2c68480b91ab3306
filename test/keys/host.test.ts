/** Host keys: made once, private, and refused by name when they can't be used. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadOrCreateHostKeys } from '../../src/keys/host.js';
import { temporaryFolder } from '../support/temporary.js';

test('the first start makes both keys, readable by their owner alone; the next one loads the same', async (t) => {
  const folder = join(temporaryFolder(t), 'keys', 'host');
  const first = await loadOrCreateHostKeys(folder);
  assert.deepEqual(
    first.keys.map((key) => key.type),
    ['ssh-ed25519', 'ecdsa-sha2-nistp256'],
  );
  assert.deepEqual(
    first.created,
    first.keys.map((key) => key.file),
  );
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  for (const { file } of first.keys) assert.equal(statSync(file).mode & 0o777, 0o600);
  const second = await loadOrCreateHostKeys(folder);
  assert.deepEqual(second, { keys: first.keys, created: [] });
  for (const key of first.keys) assert.match(key.fingerprint, /^SHA256:[A-Za-z0-9+/]{43}$/);
});

test('a key that is no key, and one of another type, are refused by their file', async (t) => {
  const folder = temporaryFolder(t);
  const { keys } = await loadOrCreateHostKeys(folder);
  const [ed25519, ecdsa] = keys;
  writeFileSync(ecdsa!.file, readFileSync(ed25519!.file));
  await assert.rejects(loadOrCreateHostKeys(folder), {
    code: 'malformed',
    message: `host key ${ecdsa!.file} holds a key of type ssh-ed25519 instead of ecdsa-sha2-nistp256`,
  });
  writeFileSync(ecdsa!.file, 'nonsense');
  await assert.rejects(loadOrCreateHostKeys(folder), { name: 'KeyError', code: 'malformed' });
});

test('a file that cannot be read or written is named', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'ssh_host_ed25519_key'));
  await assert.rejects(loadOrCreateHostKeys(folder), {
    code: 'unreadable',
    message: /ssh_host_ed25519_key can't be read/,
  });
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await assert.rejects(loadOrCreateHostKeys(join(file, 'host')), { code: 'unreadable' });
});
