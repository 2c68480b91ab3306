/** Proofs of keys as ssh2 hands them over: what is refused before, and whatever comes with, a signature. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { test } from 'node:test';
import { verifyProof } from '../../../keys/login/loginsignature.js';
import { verifySignature } from '../../../keys/login/verify.js';
import { encodeString } from '../../../keys/wire.js';
import { makeToken } from '../../support/token.js';

const blob = randomBytes(100);

test('an RSA key proves itself by SHA-2, one with a long exponent not at all', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const modulus = Buffer.concat([Buffer.from([0]), Buffer.from(n, 'base64url')]);
  const keyOf = (exponent: Buffer) => Buffer.concat(['ssh-rsa', exponent, modulus].map(encodeString));
  const key = keyOf(Buffer.from(e, 'base64url'));
  const proof = { algorithm: 'ssh-rsa', hashAlgo: 'sha512', key, blob, signature: sign('sha512', blob, privateKey) };
  assert.equal(verifyProof(proof), true);
  assert.equal(verifyProof({ ...proof, blob: randomBytes(100) }), false);
  assert.equal(verifyProof({ ...proof, algorithm: 'ssh-ed25519' }), false);
  assert.equal(verifyProof({ ...proof, hashAlgo: undefined, signature: sign('sha1', blob, privateKey) }), false);
  assert.equal(verifyProof({ ...proof, key: keyOf(Buffer.concat([Buffer.from([1]), randomBytes(255)])) }), false);
});

for (const type of ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const) {
  test(`${type} proves itself when it is touched, to the last byte`, () => {
    const token = makeToken(type);
    const key = Buffer.from(token.public.publicKey, 'base64');
    const whole = token.sign(blob);
    // As ssh2 cuts it: without the algorithm, and without the length of the value.
    const cut = (signature: Buffer) => signature.subarray(4 + type.length + 4);
    const proof = { algorithm: type, hashAlgo: undefined, key, blob, signature: cut(whole) };
    assert.equal(verifyProof(proof), true);
    assert.equal(verifySignature(key, whole, blob), true);
    for (let at = 0; at < whole.length; at++) {
      const altered = Buffer.from(whole);
      altered[at]! ^= 1;
      assert.equal(verifySignature(key, altered, blob), false, `byte ${at}`);
    }
    for (const length of [0, 1, 4, 5, 6, 60])
      assert.equal(verifyProof({ ...proof, signature: cut(whole).subarray(0, length) }), false);
    assert.equal(verifyProof({ ...proof, key: Buffer.from(makeToken(type).public.publicKey, 'base64') }), false);
    token.isTouched = false;
    assert.equal(verifyProof({ ...proof, signature: cut(token.sign(blob)) }), false);
  });
}
