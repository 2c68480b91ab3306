/** Host keys: made once, private, refused by name when they can't be used, and rotated with overlap. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import {
  activateHostKey,
  announceHostKey,
  type HostKey,
  loadHostKeys,
  loadOrCreateHostKeys,
  removeHostKey,
} from '../../../keys/host/hostkeys.js';
import { watchHostKeys } from '../../../keys/host/watch.js';
import { newKeyPair } from '../../support/keys.js';
import { until } from '../../support/session.js';
import { temporaryFolder } from '../../support/temporary.js';

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

test('a rotation: announced, active, retired, removed; one that is cut short can be repeated', async (t) => {
  const folder = temporaryFolder(t);
  const { keys } = await loadOrCreateHostKeys(folder);
  const old = keys[0]!;
  const next = (await announceHostKey(folder, { type: 'ssh-ed25519' }))!;
  assert.equal(await announceHostKey(folder, { type: 'ssh-ed25519' }), null, 'one at a time');
  const told = async () =>
    (await loadHostKeys(folder))
      .filter(({ type }) => type === 'ssh-ed25519')
      .map(({ state, fingerprint }) => [state, fingerprint]);
  assert.deepEqual(await told(), [
    ['active', old.fingerprint],
    ['announced', next.fingerprint],
  ]);
  // Cut short after its first step, and after its second.
  writeFileSync(`${old.file}.old`, old.privateKey);
  assert.deepEqual((await told())[0], ['active', old.fingerprint]);
  assert.equal((await told()).length, 2);
  await activateHostKey(folder, next);
  assert.equal(statSync(old.file).mode & 0o777, 0o600);
  writeFileSync(next.file, next.privateKey);
  const after = [
    ['active', next.fingerprint],
    ['retired', old.fingerprint],
  ];
  assert.deepEqual(await told(), after);
  const later = (await announceHostKey(folder, { type: 'ssh-ed25519' }))!;
  assert.notEqual(later.fingerprint, next.fingerprint);
  await removeHostKey(later);
  assert.deepEqual(await told(), after);
  await removeHostKey({ file: `${old.file}.old` });
  assert.deepEqual(await told(), after.slice(0, 1));
  await assert.rejects(removeHostKey({ file: `${old.file}.old` }), { code: 'unreadable' });
});

test('a key of another server is taken; what is none, or too weak, is refused', async (t) => {
  const folder = temporaryFolder(t);
  const rsa = newKeyPair('rsa');
  const key = await announceHostKey(folder, { text: rsa.private });
  assert.deepEqual([key!.type, key!.fingerprint], ['ssh-rsa', rsa.public.fingerprint]);
  await assert.rejects(announceHostKey(folder, { text: 'nonsense' }), { code: 'malformed' });
  const { algorithm, publicKey } = rsa.public;
  await assert.rejects(announceHostKey(folder, { text: `${algorithm} ${publicKey}` }), { code: 'malformed' });
  const weak = ssh2.utils.generateKeyPairSync('rsa', { bits: 1024 });
  await assert.rejects(announceHostKey(folder, { text: weak.private }), { code: 'refused', message: /2048 bits/ });
});

test('the watch tells of changes, and of what can’t be used, once', async (t) => {
  const folder = temporaryFolder(t);
  const { keys } = await loadOrCreateHostKeys(folder);
  const changes: HostKey[][] = [];
  const errors: string[] = [];
  const watch = watchHostKeys(folder, keys, {
    onChange: (now) => void changes.push(now),
    onError: ({ message }) => void errors.push(message),
  });
  t.after(watch.stop);
  const next = (await announceHostKey(folder, { type: 'ssh-ed25519' }))!;
  await until(() => changes.length === 1, 'the announced key', 30_000);
  assert.equal(changes[0]![1]!.fingerprint, next.fingerprint);
  writeFileSync(next.file, 'nonsense');
  await until(() => errors.length === 1, 'the broken key', 30_000);
  assert.match(errors[0]!, /\.next is no private key/);
  await removeHostKey(next);
  await until(() => changes.length === 2, 'the removed key', 30_000);
  assert.deepEqual(changes[1], keys);
  assert.equal(errors.length, 1);
});
