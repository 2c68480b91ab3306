/** Host keys are announced and proven after the login, and swapped without a restart. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type ssh2 from 'ssh2';
import type { ConnectConfig } from 'ssh2';
import { announceHostKey, loadHostKeys } from '../../../keys/host/hostkeys.js';
import { fingerprintOf } from '../../../keys/login/fingerprint.js';
import { connect, openSftp, startTestServer } from '../../support/server.js';

interface ClientInternals {
  _protocol: {
    rekey(): void;
    openssh_hostKeysProve(keys: { getPublicSSH(): Buffer }[]): void;
    _handlers: Record<'REQUEST_SUCCESS' | 'REQUEST_FAILURE', (protocol: unknown, data?: Buffer) => void>;
  };
}

/** ssh2's client emits those keys that the server announced and proved. */
async function provenKeys(scope: Parameters<typeof connect>[0], login: ConnectConfig): Promise<string[]> {
  const { default: library } = await import('ssh2');
  const client = new library.Client();
  scope.after(() => void client.destroy());
  client.connect({ ...login, strictVendor: false } as ConnectConfig);
  const [keys] = (await once(client, 'hostkeys')) as [ssh2.ParsedKey[]];
  client.end();
  return keys.map((key) => fingerprintOf(key.getPublicSSH())).sort();
}

test('keys of every type and state are announced and proven, with RSA in the key exchange and without', async (t) => {
  const server = await startTestServer(t);
  await announceHostKey(server.paths.hostKeys, { type: 'ssh-ed25519' });
  await announceHostKey(server.paths.hostKeys, { type: 'ssh-rsa' });
  const keys = await loadHostKeys(server.paths.hostKeys);
  assert.equal(keys.length, 4);
  server.replaceHostKeys(keys);
  const all = keys.map(({ fingerprint }) => fingerprint).sort();
  assert.deepEqual(await provenKeys(t, server.login), all);

  server.replaceHostKeys(keys.map((key) => ({ ...key, state: key.type === 'ssh-rsa' ? 'active' : key.state })));
  for (const serverHostKey of ['rsa-sha2-256', 'rsa-sha2-512'] as const)
    assert.deepEqual(await provenKeys(t, { ...server.login, algorithms: { serverHostKey: [serverHostKey] } }), all);
  const old: ConnectConfig = { ...server.login, algorithms: { serverHostKey: ['ssh-rsa'] } };
  await assert.rejects(connect(t, old), /no matching host key format/, 'never SHA-1');
});

test('no proof of a key that is not ours, of more keys than there are, before the login, without end', async (t) => {
  const server = await startTestServer(t);
  const client = await connect(t, server.login);
  const { _protocol: protocol } = client as unknown as ClientInternals;
  const ask = (...wires: Buffer[]): Promise<Buffer | null> =>
    new Promise((resolve) => {
      protocol._handlers.REQUEST_SUCCESS = (_, data) => resolve(data ?? Buffer.alloc(0));
      protocol._handlers.REQUEST_FAILURE = () => resolve(null);
      protocol.openssh_hostKeysProve(wires.map((wire) => ({ getPublicSSH: () => wire })));
    });
  const [own] = server.hostKeys;
  assert.equal(await ask(Buffer.from(server.key.public.publicKey, 'base64')), null);
  assert.equal(await ask(own!.wire, own!.wire, own!.wire), null);
  assert.ok((await ask(own!.wire))!.length > 64);
  assert.ok(await ask(own!.wire));
  assert.equal(await ask(own!.wire), null, 'enough of it');
});

test('clients that disconnect at the announcement get none', async (t) => {
  const server = await startTestServer(t);
  const isAnnounced = async (ident: string): Promise<boolean> => {
    let isTold = false;
    const { default: library } = await import('ssh2');
    const client = new library.Client();
    t.after(() => void client.destroy());
    client.on('hostkeys', () => {
      isTold = true;
    });
    client.connect({ ...server.login, ident, strictVendor: false } as ConnectConfig);
    await once(client, 'ready');
    // What was sent after the login has come when this is answered; the proof takes one answer more.
    for (let round = 0; round < 2; round++) await openSftp(client);
    client.end();
    return isTold;
  };
  assert.deepEqual([await isAnnounced('TTSSH/2.72'), await isAnnounced('TTSSH/3.0')], [false, true]);
});

test('new connections meet the new key, those that are there keep theirs', async (t) => {
  const server = await startTestServer(t);
  const meet = async () => {
    let met = '';
    const hostVerifier = (wire: Buffer): boolean => {
      met = fingerprintOf(wire);
      return true;
    };
    return { client: await connect(t, { ...server.login, hostVerifier }), met: () => met };
  };
  const before = await meet();
  const next = (await announceHostKey(server.paths.hostKeys, { type: 'ssh-ed25519' }))!;
  server.replaceHostKeys([{ ...next, state: 'active' }]);
  const after = await meet();
  assert.deepEqual([before.met(), after.met()], [server.hostKeys[0]!.fingerprint, next.fingerprint]);
  const rekeyed = once(before.client, 'handshake');
  (before.client as unknown as ClientInternals)._protocol.rekey();
  await rekeyed;
  assert.equal(before.met(), server.hostKeys[0]!.fingerprint);
  assert.throws(() => server.replaceHostKeys([{ ...next, state: 'active', privateKey: 'x' }]), {
    code: 'bad_host_key',
  });
  await meet();
});
