/** Key pairs that every program accepts: ssh2 alone makes one in 256 that none does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { parsePublicKeys } from '../../src/keys/login.js';
import { generatePair } from '../../src/keys/pair.js';

for (const type of ['ed25519', 'ecdsa-nistp256'] as const)
  test(`a thousand pairs of type ${type} are sound`, () => {
    for (let count = 0; count < 1000; count++) {
      const pair = generatePair(type);
      const [key] = parsePublicKeys(pair.public);
      const secret = ssh2.utils.parseKey(pair.private);
      assert.ok(!(secret instanceof Error));
      assert.equal(secret.getPublicSSH().toString('base64'), key?.publicKey);
    }
  });
