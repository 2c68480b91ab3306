/** Certificates by ssh-keygen, and which of them may log in. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { readCertificate } from '../../../keys/login/certificate.js';
import { judgeCertificate } from '../../../keys/login/certificateterms.js';
import { makeAuthority, makeKeyFile } from '../../support/authority.js';
import { temporaryFolder } from '../../support/temporary.js';

const skip =
  spawnSync('ssh-keygen', ['-?']).error !== undefined && 'ssh-keygen is NOT INSTALLED: apt-get install openssh-client';
const now = Date.now();
const terms = { principals: ['acme'], address: '192.0.2.7', now };
const always = ['-I', 'hr-2026', '-n', 'acme,other', '-z', '42'];

for (const [type, sign] of [
  ['ed25519', []],
  ['ecdsa:256', []],
  ['ecdsa:384', []],
  ['ecdsa:521', []],
  ['rsa:2048', ['-t', 'rsa-sha2-256']],
  ['rsa:3072', ['-t', 'rsa-sha2-512']],
] as [string, string[]][]) {
  test(`an authority of type ${type} certifies every type of key`, { skip }, (t) => {
    const authority = makeAuthority(t, type, sign);
    for (const keyType of type === 'ed25519' ? ['ed25519', 'ecdsa:256', 'ecdsa:521', 'rsa:2048'] : ['ed25519']) {
      const key = makeKeyFile(temporaryFolder(t), 'key', keyType);
      const wire = authority.certify(key, always);
      const certificate = readCertificate(wire)!;
      assert.equal(certificate.fingerprint, key.public.fingerprint);
      assert.equal(certificate.authorityFingerprint, authority.public.fingerprint);
      assert.deepEqual(
        [certificate.serial, certificate.keyId, certificate.principals],
        ['42', 'hr-2026', ['acme', 'other']],
      );
      assert.equal(judgeCertificate(certificate, terms), null);
      // Whichever byte is changed: it is another certificate, or none at all.
      for (let at = 50; at < wire.length; at += 37) {
        const altered = Buffer.from(wire);
        altered[at]! ^= 1;
        assert.notEqual(judgeAltered(altered), null, `${keyType} byte ${at}`);
      }
      assert.throws(() => readCertificate(wire.subarray(0, -1)), { code: 'malformed' });
      assert.throws(() => readCertificate(Buffer.concat([wire, Buffer.from([0])])), { code: 'malformed' });
    }
  });
}

function judgeAltered(wire: Buffer): string | null {
  try {
    return judgeCertificate(readCertificate(wire)!, terms);
  } catch {
    return 'malformed';
  }
}

test('an authority that signs by SHA-1 certifies nothing', { skip }, (t) => {
  const authority = makeAuthority(t, 'rsa:2048', ['-t', 'ssh-rsa']);
  const key = makeKeyFile(temporaryFolder(t), 'key');
  const certificate = readCertificate(authority.certify(key, always))!;
  assert.equal(judgeCertificate(certificate, terms), 'certificate not signed by its authority');
});

test('what a certificate says is honoured', { skip }, (t) => {
  const authority = makeAuthority(t);
  const key = makeKeyFile(temporaryFolder(t), 'key');
  const flawOf = (options: string[], change: Partial<typeof terms> = {}) =>
    judgeCertificate(readCertificate(authority.certify(key, ['-I', 'x', ...options]))!, { ...terms, ...change });
  const hour = 3_600_000;
  assert.equal(flawOf(['-n', 'other']), 'certificate for another principal');
  assert.equal(flawOf([]), 'certificate for another principal');
  assert.equal(flawOf(['-h', '-n', 'acme']), 'certificate is not for users');
  assert.equal(flawOf(['-n', 'acme', '-V', '+2h:+3h']), 'certificate not valid yet');
  assert.equal(flawOf(['-n', 'acme', '-V', '-2h:-1h']), 'expired certificate');
  assert.equal(flawOf(['-n', 'acme', '-V', '-1h:+1h']), null);
  assert.equal(flawOf(['-n', 'acme', '-V', '-1h:+1h'], { now: now + 2 * hour }), 'expired certificate');
  const source = ['-n', 'acme', '-O', 'source-address=192.0.2.0/24,2001:db8::/32'];
  assert.equal(flawOf(source), null);
  assert.equal(flawOf(source, { address: '2001:db8::5' }), null);
  assert.equal(flawOf(source, { address: '198.51.100.1' }), 'address not allowed for this certificate');
  assert.equal(
    flawOf(['-n', 'acme', '-O', 'force-command=internal-sftp']),
    'certificate with an option that is not supported',
  );
  assert.equal(flawOf(['-n', 'acme', '-O', 'critical:x@test=1']), 'certificate with an option that is not supported');
  assert.equal(flawOf(['-n', 'acme', '-O', 'clear', '-O', 'extension:x@test=1']), null);
});

test('a certificate for a short RSA key is refused', { skip }, (t) => {
  const authority = makeAuthority(t);
  const folder = temporaryFolder(t);
  // ssh-keygen makes keys of 1024 bits, and this project reads none.
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'rsa', '-b', '1024', '-N', '', '-f', `${folder}/short`]);
  if (made.status !== 0) return;
  const certificate = readCertificate(authority.certify({ file: `${folder}/short` } as never, always))!;
  assert.equal(judgeCertificate(certificate, terms), 'certificate for a key that is too short');
});
