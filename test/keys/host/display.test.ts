/** Host keys in the forms that clients show, against ssh-keygen; and their signatures, against ssh2. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { drawHostKey, knownHostsLine, md5Of, sshfpLine } from '../../../keys/host/display.js';
import { announceHostKey, type HostKey, loadHostKeys, loadOrCreateHostKeys } from '../../../keys/host/hostkeys.js';
import { signWithHostKey } from '../../../keys/host/signature.js';
import { missing } from '../../support/peers.js';
import { type Scope, temporaryFolder } from '../../support/temporary.js';

async function makeAll(scope: Scope): Promise<{ folder: string; keys: HostKey[] }> {
  const folder = temporaryFolder(scope);
  await loadOrCreateHostKeys(folder);
  await announceHostKey(folder, { type: 'ssh-rsa' });
  return { folder, keys: await loadHostKeys(folder) };
}

function keygen(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('ssh-keygen', args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

test('each form is what ssh-keygen writes', { skip: missing('ssh-keygen', 'openssh-client') }, async (t) => {
  const { folder, keys } = await makeAll(t);
  assert.equal(keys.length, 3);
  for (const key of keys) {
    const file = join(folder, 'shown.pub');
    writeFileSync(file, `${key.publicKey}\n`);
    assert.equal(keygen('-l', '-f', file).split(' ')[1], key.fingerprint);
    assert.equal(keygen('-l', '-E', 'md5', '-f', file).split(' ')[1], md5Of(key));
    assert.equal(keygen('-l', '-v', '-f', file).split('\n').slice(1).join('\n'), drawHostKey(key));
    const records = keygen('-r', 'sftp.example.com', '-f', file).split('\n');
    assert.ok(records.includes(sshfpLine(key, 'sftp.example.com')), records.join('\n'));
    for (const [port, name] of [[2222, '[sftp.example.com]:2222'] as const, [22, 'sftp.example.com'] as const]) {
      const known = join(folder, `known_hosts_${port}`);
      writeFileSync(known, `${knownHostsLine(key, 'sftp.example.com', port)}\n`);
      assert.match(keygen('-F', name, '-f', known), /^# Host .* found: line 1/);
    }
  }
});

test('a hundred signatures of each kind verify, whatever their first bits', async (t) => {
  const { keys } = await makeAll(t);
  for (const key of keys)
    for (const algorithm of key.type === 'ssh-rsa' ? ['rsa-sha2-256', 'rsa-sha2-512'] : [key.type])
      for (let count = 0; count < 100; count += key.type === 'ssh-rsa' ? 25 : 1) {
        const data = Buffer.from(`message ${count}`);
        const [name, value, ...rest] = strings(signWithHostKey(key, algorithm, data));
        assert.deepEqual([name!.toString(), rest], [algorithm, []]);
        const open = ssh2.utils.parseKey(key.publicKey) as ssh2.ParsedKey;
        const isEcdsa = key.type === 'ecdsa-sha2-nistp256';
        const hash = key.type === 'ssh-rsa' ? algorithm.replace('rsa-sha2-', 'sha') : undefined;
        assert.equal(open.verify(data, isEcdsa ? toDer(value!) : value!, hash), true);
      }
});

/** Two SSH mpints are two ASN.1 integers with other lengths before them. */
function toDer(value: Buffer): Buffer {
  const integers = strings(value).map((mpint) => Buffer.concat([Buffer.from([2, mpint.length]), mpint]));
  const body = Buffer.concat(integers);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

function strings(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let offset = 0; offset < bytes.length; offset += 4 + found.at(-1)!.length)
    found.push(bytes.subarray(offset + 4, offset + 4 + bytes.readUInt32BE(offset)));
  return found;
}
