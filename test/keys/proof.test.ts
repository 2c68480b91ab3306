/** Signatures as programs really send them. */
import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { verifyProof } from '../../src/keys/proof.js';
import { verifySignature } from '../../src/keys/verify.js';
import { wireString } from '../../src/keys/wire.js';
import { newKeyPair } from '../support/keys.js';

test('an RSA signature without its leading zero bytes, as PuTTY sends one in 256, proves the key', () => {
  const pair = newKeyPair('rsa');
  const secret = ssh2.utils.parseKey(pair.private) as ssh2.ParsedKey;
  const key = Buffer.from(pair.public.publicKey, 'base64');
  const blobs = Array.from({ length: 5000 }, (_, n) => Buffer.from(`message ${n}`));
  const signed = (message: Buffer) => sign('sha512', message, secret.getPrivatePEM());
  const blob = blobs.find((message) => signed(message)[0] === 0);
  assert.ok(blob !== undefined);
  const whole = signed(blob);
  const short = whole.subarray(whole.findIndex((byte) => byte !== 0));
  const proof = { algorithm: 'ssh-rsa', hashAlgo: 'sha512', key, blob };
  for (const signature of [whole, short]) {
    assert.equal(verifyProof({ ...proof, signature }), true);
    assert.equal(verifyProof({ ...proof, signature, blob: Buffer.from('another message') }), false);
    const inWire = Buffer.concat([wireString('rsa-sha2-512'), wireString(signature)]);
    assert.equal(verifySignature(key, inWire, blob), true);
  }
  assert.equal(verifyProof({ ...proof, signature: short.subarray(0, -1) }), false);
  assert.equal(verifyProof({ ...proof, signature: Buffer.alloc(0) }), false);
});
