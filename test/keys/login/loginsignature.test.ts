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

for (const { type, make, hash } of [
  { type: 'ssh-ed25519', make: () => generateKeyPairSync('ed25519'), hash: null },
  { type: 'ecdsa-sha2-nistp256', make: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), hash: 'sha256' },
  { type: 'ecdsa-sha2-nistp384', make: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }), hash: 'sha384' },
  { type: 'ecdsa-sha2-nistp521', make: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }), hash: 'sha512' },
])
  test(`a plain ${type} proves itself, by its own hash and no other`, () => {
    const { publicKey, privateKey } = make();
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
    const parts = hash === null ? [Buffer.from(x, 'base64url')] : [type.slice('ecdsa-sha2-'.length), point];
    const key = Buffer.concat([type, ...parts].map(encodeString));
    const proof = { algorithm: type, hashAlgo: undefined, key, blob, signature: sign(hash, blob, privateKey) };
    assert.equal(verifyProof(proof), true);
    assert.equal(verifyProof({ ...proof, blob: randomBytes(100) }), false);
    assert.equal(verifyProof({ ...proof, signature: proof.signature.subarray(1) }), false);
    assert.equal(verifyProof({ ...proof, signature: Buffer.alloc(0) }), false);
    assert.equal(verifyProof({ ...proof, key: Buffer.concat([key, Buffer.from([0])]) }), false, 'more than the key');
    assert.equal(verifyProof({ ...proof, key: key.subarray(0, -1) }), false, 'less than the key');
    const other = Buffer.from(key);
    other[key.length - 1]! ^= 1;
    assert.equal(verifyProof({ ...proof, key: other }), false, 'another key, or none');
    if (hash !== null) assert.equal(verifyProof({ ...proof, signature: sign('sha1', blob, privateKey) }), false);
  });

test('a key of RSA proves itself by SHA-1 where that is taken', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const modulus = Buffer.concat([Buffer.from([0]), Buffer.from(n, 'base64url')]);
  const key = Buffer.concat(['ssh-rsa', Buffer.from(e, 'base64url'), modulus].map(encodeString));
  const proof = { algorithm: 'ssh-rsa', hashAlgo: undefined, key, blob, signature: sign('sha1', blob, privateKey) };
  assert.deepEqual([verifyProof(proof), verifyProof(proof, true)], [false, true]);
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
