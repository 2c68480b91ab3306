/** A client that signs with SHA-1 alone gets in where an operator said that its key may, and nowhere else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { updateLoginKey } from '../../db/control/keys.js';
import { allowKey, newKeyPair, writeKeyFile } from '../support/keys.js';
import { layPeerTable, missing } from '../support/peers.js';

test('a key that may sign with SHA-1 does so on a compatible port, and nowhere else', {
  skip: missing('curl', 'curl'),
}, async (t) => {
  const table = await layPeerTable(t, undefined, { listen: ['127.0.0.1:0', '127.0.0.1:0/compatible'] });
  const pair = newKeyPair('rsa');
  await allowKey(table.control, 'acme', pair);
  const key = writeKeyFile(table.folder, pair, 'curl_key');
  table.file('curl_key.pub', `${pair.public.algorithm} ${pair.public.publicKey}\n`);
  const listOn = async (port: number) => {
    const url = `sftp://${table.host}:${port}/`;
    const login = ['--key', key, '--pubkey', `${key}.pub`, '-u', 'acme:'];
    return (await table.run('curl', ['-sS', '-k', ...login, url])).code === 0 ? 'in' : 'out';
  };
  const [modern, compatible] = table.listeners.map(({ port }) => port);
  // libssh2 from 1.11 on signs with SHA-2, wherever it is.
  if ((await listOn(modern!)) === 'in') return;
  assert.equal(await listOn(compatible!), 'out');
  await updateLoginKey(table.control.write, 'acme', pair.public.fingerprint, { allowsSha1: true });
  assert.deepEqual([await listOn(compatible!), await listOn(modern!)], ['in', 'out']);
});
