/** Generated passwords: what they look like, and how they are checked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generatePassword, nameOfPassword, PasswordQueue, verifyPassword } from '../../../keys/login/password.js';

test('a password fits its own hash, and nothing else does', async () => {
  const { fingerprint, text, secret } = await generatePassword();
  assert.match(text, /^[a-z2-9]{8}(-[a-z2-9]{8}){4}$/);
  assert.equal(nameOfPassword(text), fingerprint);
  for (const other of ['', 'hunter2', text.slice(1), `${text}a`, text.toUpperCase()])
    assert.equal(nameOfPassword(other), null);
  assert.ok(!secret.includes(text.slice(9)));
  assert.equal(await verifyPassword(text, secret), true);
  assert.equal(await verifyPassword(`${text.slice(0, -1)}1`, secret), false);
  assert.equal(await verifyPassword(text, null), false);
  await assert.rejects(verifyPassword(text, 'plain:text'), /unknown form/);
});

test('checks wait for each other, and no more than a few wait', async () => {
  const queue = new PasswordQueue(2);
  const answers = await Promise.all([queue.check('a', null), queue.check('b', null), queue.check('c', null)]);
  assert.deepEqual(answers, [false, false, null]);
  assert.equal(await queue.check('d', null), false);
});
