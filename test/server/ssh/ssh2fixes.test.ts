/** ssh2's internals are touched in one file, so that an upgrade has one file to check. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { globSync } from 'tinyglobby';
import { generatePair } from '../../../keys/host/pair.js';
import { readOnce } from '../../../server/ssh/ssh2fixes.js';

/** Members and modules of ssh2 that its types do not declare. */
const internals =
  /\._(sock|protocol|chanMgr|channel|chanInfo|kex\w*|queue|offer|handlers|cipher|decipher|packetRW|on[A-Z]\w*)\b|_chan(Mgr|Info)\b|_protocol\b|ssh2\/lib/;

test('only ssh2fixes.ts touches the internal state of ssh2', () => {
  const touching = globSync(['server/**/*.ts', 'keys/**/*.ts', 'app/**/*.ts']).filter((file) =>
    internals.test(readFileSync(file, 'utf8')),
  );
  assert.deepEqual(touching, ['server/ssh/ssh2fixes.ts']);
});

const message = Buffer.from('exchange hash');
const parse = (text: string) => ssh2.utils.parseKey(text) as ssh2.ParsedKey;
const readKey = (text: string) => readOnce(parse(text)).key as unknown as ssh2.ParsedKey;

for (const [type, hashes] of [
  ['ed25519', [undefined]],
  ['ecdsa-nistp256', [undefined]],
  ['rsa', ['sha256', 'sha512']],
] as const)
  test(`a host key that is read once signs as ssh2 does, and never with SHA-1: ${type}`, () => {
    const pair = generatePair(type);
    const [key, open] = [readKey(pair.private), parse(pair.public)];
    key.getPrivatePEM = () => assert.fail('it is not read again');
    for (const hash of hashes) {
      const signature = key.sign(message, hash);
      assert.equal(open.verify(message, signature, hash), true);
      assert.equal(open.verify(Buffer.from('another hash'), signature, hash), false);
    }
    if (type === 'rsa') assert.ok((key.sign(message) as unknown) instanceof Error);
    assert.equal(ssh2.utils.parseKey(key), key, 'a server takes it');
    assert.throws(() => readKey(pair.public), 'no private key');
  });
