/** Key pairs that every program accepts: ssh2 alone makes one in 256 that none does. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { generatePair } from '../../../keys/host/pair.js';
import { parsePublicKeys } from '../../../keys/login/publickeys.js';
import { isShort } from '../../support/databases.js';
import { temporaryFolder } from '../../support/temporary.js';

const hasPuttygen = spawnSync('puttygen', ['--version']).error === undefined;

/** All in `npm run test:long`. */
const pairs = isShort ? 250 : 1000;

for (const type of ['ed25519', 'ecdsa-nistp256'] as const)
  test(`${pairs} pairs of type ${type} are sound`, () => {
    for (let count = 0; count < pairs; count++) {
      const pair = generatePair(type);
      const [key] = parsePublicKeys(pair.public);
      const secret = ssh2.utils.parseKey(pair.private);
      assert.ok(!(secret instanceof Error));
      assert.equal(secret.getPublicSSH().toString('base64'), key?.publicKey);
    }
  });

test('PuTTY reads every ECDSA pair', { skip: hasPuttygen ? false : 'puttygen is not installed' }, (t) => {
  const file = join(temporaryFolder(t), 'key');
  for (let count = 0; count < 8; count++) {
    writeFileSync(file, generatePair('ecdsa-nistp256').private, { mode: 0o600 });
    assert.match(execFileSync('puttygen', [file, '-L'], { encoding: 'utf8' }), /^ecdsa-sha2-nistp256 /);
  }
});
