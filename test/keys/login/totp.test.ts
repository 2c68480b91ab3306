/** One-time codes: the examples of RFC 6238, the window of a clock that is wrong, and the secret's forms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base32nopad } from '@scure/base';
import { findTotpStep, generateTotpSecret, isTotpSecret, totpCode, totpUri } from '../../../keys/login/totp.js';

const secret = base32nopad.encode(Buffer.from('12345678901234567890'));

test('codes are those of RFC 6238, appendix B, in six digits', () => {
  const examples: [number, string][] = [
    [59, '287082'],
    [1111111109, '081804'],
    [1111111111, '050471'],
    [1234567890, '005924'],
    [2000000000, '279037'],
    [20000000000, '353130'],
  ];
  for (const [seconds, code] of examples) assert.equal(totpCode(secret, seconds * 1000), code);
});

test('a code counts for its own half minute and the ones beside it', () => {
  const at = 1_234_567_890_000;
  const step = Math.floor(at / 30_000);
  for (const by of [-1, 0, 1]) assert.equal(findTotpStep(secret, totpCode(secret, at + by * 30_000), at), step + by);
  for (const by of [-2, 2]) assert.equal(findTotpStep(secret, totpCode(secret, at + by * 30_000), at), null);
  for (const wrong of ['', '12345', '1234567', 'abcdef']) assert.equal(findTotpStep(secret, wrong, at), null);
});

test('a secret has 160 bits, and apps read it from a URI', () => {
  const made = generateTotpSecret();
  assert.ok(isTotpSecret(made));
  assert.notEqual(made, generateTotpSecret());
  assert.equal(
    totpUri(secret, { issuer: 'Dropslot', account: 'jane@acme.test' }),
    `otpauth://totp/Dropslot:jane%40acme.test?secret=${secret}&issuer=Dropslot`,
  );
});
