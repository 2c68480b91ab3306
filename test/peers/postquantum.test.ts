/** Post-quantum key exchange with clients that have it: at the login, and when either side exchanges keys again. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import ssh2, { type KexAlgorithm } from 'ssh2';
import { postQuantumKex } from '../../server/ssh/postquantum.js';
import { newKeyPair } from '../support/keys.js';
import { type ModernSuite, missingModern, modernClient } from '../support/modern.js';
import { layPeerTable, type PeerTable, type Ran } from '../support/peers.js';

function sftp(table: PeerTable, suite: ModernSuite, commands: string, ...options: string[]): Promise<Ran> {
  // The first value of an option counts in OpenSSH.
  const args = [...options.flatMap((option) => ['-o', option]), ...table.sshOptions()];
  const program = modernClient(suite, 'sftp');
  return table.run(program, ['-b', '-', '-P', String(table.port), ...args, `acme@${table.host}`], commands);
}

/** The key exchange of the login, and of each time after it. */
function agreed({ stderr }: Ran): string[] {
  return [...stderr.matchAll(/kex: algorithm: (\S+)/g)].map(([, name]) => name!);
}

for (const suite of ['stable', 'backports'] as const)
  test(`OpenSSH of Debian 13 (${suite}) prefers it, and rekeys with it`, { skip: missingModern(suite) }, async (t) => {
    const table = await layPeerTable(t);
    const content = randomBytes(6 * 1024 * 1024);
    table.file('users.csv', content);
    const transfer = 'put users.csv\nget users.csv back.csv\n';
    const ran = await sftp(table, suite, transfer, 'LogLevel=DEBUG1', 'RekeyLimit=2M');
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(table.fetched('back.csv'), content);
    const exchanges = agreed(ran);
    assert.ok(exchanges.length > 3 && exchanges.every((name) => name === postQuantumKex), exchanges.join());

    const only = await sftp(table, suite, 'pwd\n', 'LogLevel=DEBUG1', `KexAlgorithms=${postQuantumKex}`);
    assert.deepEqual([only.code, agreed(only)], [0, [postQuantumKex]], only.stderr);
    const without = await sftp(table, suite, 'pwd\n', 'LogLevel=DEBUG1', 'KexAlgorithms=curve25519-sha256');
    assert.deepEqual([without.code, agreed(without)], [0, ['curve25519-sha256']], without.stderr);
  });

test("PuTTY's psftp", { skip: missingModern('stable') }, async (t) => {
  const table = await layPeerTable(t);
  const content = randomBytes(100_000);
  table.file('users.csv', content);
  table.file('batch', 'put users.csv\nget users.csv back.csv\nbye\n');
  const puttygen = await table.run(modernClient('stable', 'puttygen'), [
    table.keyFile,
    '-O',
    'private',
    '-o',
    'key.ppk',
  ]);
  assert.equal(puttygen.code, 0, puttygen.stderr);
  const hostKeys = table.hostKeys.flatMap((key) => ['-hostkey', key.fingerprint]);
  const where = ['-P', String(table.port), '-i', 'key.ppk', ...hostKeys, `acme@${table.host}`];
  const ran = await table.run(modernClient('stable', 'psftp'), ['-v', '-batch', '-b', 'batch', ...where]);
  assert.equal(ran.code, 0, ran.stderr);
  assert.match(ran.stderr, /ML-KEM-768/);
  assert.deepEqual(table.fetched('back.csv'), content);
});

test('OpenSSH 10.1 and later do not warn', { skip: missingModern('backports') }, async (t) => {
  const table = await layPeerTable(t);
  const silent = await sftp(table, 'backports', 'pwd\n', 'LogLevel=INFO');
  assert.equal(silent.code, 0, silent.stderr);
  assert.doesNotMatch(silent.stderr, /post-quantum/);
  const kex: KexAlgorithm[] = ['curve25519-sha256'];
  const plain = new ssh2.Server({ hostKeys: [newKeyPair().private], algorithms: { kex } }, (client) => {
    client.on('error', () => {}).on('authentication', (context) => context.accept());
    client.on('ready', () => void client.end());
  });
  t.after(() => void plain.close());
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const { port } = plain.address() as { port: number };
  const options = ['-N', '-p', String(port), '-o', 'LogLevel=INFO', ...table.sshOptions()];
  const warned = await table.run(modernClient('backports', 'ssh'), [...options, 'acme@127.0.0.1']);
  assert.match(
    warned.stderr,
    /WARNING: connection is not using a post-quantum key exchange/,
    'of another server it does',
  );
});

test('the server exchanges keys again, while files go up and down', { skip: missingModern('stable') }, async (t) => {
  const table = await layPeerTable(t, undefined, { rekeyBytes: 2 * 1024 * 1024 });
  const content = randomBytes(8 * 1024 * 1024);
  table.file('users.csv', content);
  const ran = await sftp(table, 'stable', 'put users.csv\nget users.csv back.csv\n', 'LogLevel=DEBUG1');
  assert.equal(ran.code, 0, ran.stderr);
  assert.deepEqual(table.fetched('back.csv'), content);
  const exchanges = agreed(ran);
  assert.ok(exchanges.length > 3 && exchanges.every((name) => name === postQuantumKex), exchanges.join());
});
