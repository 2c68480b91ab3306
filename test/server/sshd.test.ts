/** What an sshd says about who comes in. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { plainKeyOf } from '../../keys/login/certificate.js';
import { fingerprintOf } from '../../keys/login/fingerprint.js';
import { asksForSftp, identifySshdLogin } from '../../server/sshd.js';
import { missing } from '../support/peers.js';
import { temporaryFolder } from '../support/temporary.js';

const skip = missing('ssh-keygen', 'openssh-client');
const nothing = { connection: null, userAuth: null, originalCommand: null };

test('the address is the first word of the connection, where it is an address', async () => {
  const addressIn = async (connection: string | null) => (await identifySshdLogin({ ...nothing, connection })).address;
  assert.equal(await addressIn('192.0.2.7 50000 10.0.0.1 22'), '192.0.2.7');
  assert.equal(await addressIn('2001:db8::7 50000 2001:db8::1 22'), '2001:db8::7');
  assert.equal(await addressIn('UNKNOWN 65535 UNKNOWN 65535'), null);
  assert.equal(await addressIn(''), null);
  assert.equal(await addressIn(null), null);
});

test('only SFTP clients are let through where a command is forced', () => {
  const asks = (originalCommand: string | null) => asksForSftp({ ...nothing, originalCommand });
  for (const command of [null, 'internal-sftp', '/usr/lib/openssh/sftp-server -l INFO', '/opt/dropslot sftp-server'])
    assert.ok(asks(command), String(command));
  for (const command of ['', 'md5sum users.csv', 'scp -t /', 'echo internal-sftp-not', 'bash -i'])
    assert.ok(!asks(command), command);
});

for (const type of ['ed25519', 'ecdsa', 'rsa'])
  test(`a certificate of an ${type} key counts as that key`, { skip }, async (t) => {
    const folder = temporaryFolder(t);
    const keygen = (...args: string[]) => {
      const { status, stdout, stderr } = spawnSync('ssh-keygen', ['-q', ...args], { cwd: folder, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      return stdout;
    };
    keygen('-t', 'ed25519', '-N', '', '-f', 'ca');
    keygen('-t', type, ...(type === 'rsa' ? ['-b', '2048'] : []), '-N', '', '-f', 'key');
    keygen('-s', 'ca', '-I', 'jane', '-n', 'acme', 'key.pub');
    const fingerprint = keygen('-l', '-f', 'key.pub').split(' ')[1];
    const [name, base64] = readFileSync(join(folder, 'key-cert.pub'), 'utf8').split(' ');
    assert.equal(fingerprintOf(plainKeyOf(Buffer.from(base64!, 'base64'))!), fingerprint);
    const userAuth = join(folder, 'auth');
    writeFileSync(userAuth, `password\npublickey ${name} ${base64}\n`);
    assert.deepEqual(await identifySshdLogin({ ...nothing, userAuth }), { address: null, keyFingerprint: fingerprint });
    writeFileSync(userAuth, 'password\n');
    assert.equal((await identifySshdLogin({ ...nothing, userAuth })).keyFingerprint, null);
  });

test('a key that ends too early, and what is no key, are nobody’s', () => {
  const string = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
  const cut = Buffer.concat([
    string('ssh-ed25519-cert-v01@openssh.com'),
    string('nonce'),
    Buffer.from([0, 0, 1, 0, 1]),
  ]);
  for (const wire of [Buffer.alloc(0), Buffer.from([0, 0, 0, 200]), string('ssh-dss'), cut])
    assert.equal(plainKeyOf(wire), null);
});
