/** What ssh-audit says of each policy. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layPeerTable, missing } from '../support/peers.js';

/** Newer than the ssh-audit of Debian 12 (2.5.0), which warns of names that it does not know. */
const unknownToAudit = ['kex-strict-s-v00@openssh.com', 'mlkem768x25519-sha256', 'sntrup761x25519-sha512'];

interface Audit {
  kex: { algorithm: string }[];
  key: { algorithm: string }[];
  enc: string[];
  mac: string[];
  compression: string[];
}

test('ssh-audit finds nothing wrong with the modern policy, and no SHA-1 signature in the other', {
  skip: missing('ssh-audit', 'ssh-audit'),
}, async (t) => {
  const table = await layPeerTable(t, undefined, { listen: ['127.0.0.1:0', '127.0.0.1:0/compatible'] });
  const audit = (port: number, ...more: string[]) => table.run('ssh-audit', ['-n', ...more, `127.0.0.1:${port}`]);
  const [modern, compatible] = table.listeners.map(({ port }) => port);

  const text = (await audit(modern!)).stdout;
  const wrong = text
    .split('\n')
    .filter((line) => /\[(warn|fail)\]/.test(line))
    .filter((line) => !unknownToAudit.some((name) => line.includes(name)));
  assert.deepEqual(wrong, [], text);
  assert.match(text, /curve25519-sha256 .*\[info\]/, 'it did look');

  const { kex, key, enc, mac, compression } = JSON.parse((await audit(modern!, '-j')).stdout) as Audit;
  const names = [...kex, ...key].map(({ algorithm }) => algorithm).concat(enc, mac);
  assert.deepEqual(compression, ['none']);
  assert.ok(names.includes('ssh-ed25519') && mac.every((name) => /^hmac-sha2-.*-etm@/.test(name)), names.join());
  assert.ok(
    !names.some((name) => /sha1$|sha1-|cbc|nistp|group1-|group14-|group-exchange|dss/.test(name)),
    names.join(),
  );

  const old = (await audit(compatible!)).stdout;
  assert.match(old, /\(key\) ecdsa-sha2-nistp256/);
  assert.doesNotMatch(old, /\(key\) (ssh-rsa|ssh-dss)|cbc|arcfour|zlib|group1-|md5/);
});
