/** What is wrong with a text that should be an address (rules U1, U8). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonOf } from '../../../importer/read/address.js';
import { isEmail } from '../../../importer/read/normalize.js';

const wrong: readonly [string, string][] = [
  ['nobody', 'no @'],
  ['mailto:tom@acme.test', 'mailto:'],
  ['MAILTO:tom@acme.test', 'mailto:'],
  ['<tom@acme.test>', 'angle brackets'],
  ['Tom Lee <tom@acme.test>', 'a name or angle brackets'],
  ['tom@acme.test, ann@acme.test', 'more than one address'],
  ['tom@acme.test;ann@acme.test', 'more than one address'],
  ['tom@@acme.test', 'a second @'],
  ['to m@acme.test', 'a space in it'],
  ['to\u00a0m@acme.test', 'a space in it'],
  ['tom@acme.test,', 'punctuation mark'],
  ['tom@acme.test;', 'punctuation mark'],
  ['tom@acme.test.', 'punctuation mark'],
  ['"tom@acme.test"', 'a quote or an apostrophe'],
  ["tom@acme.test'", 'a quote or an apostrophe'],
  ['tom@acme..test', 'two dots in a row'],
  ['to..m@acme.test', 'two dots in a row'],
];

test('U1 the reason says what to correct, and quotes no value', () => {
  for (const [text, reason] of wrong) {
    assert.equal(isEmail(text), false, text);
    assert.ok(reasonOf(text).includes(reason), `${text}${reasonOf(text)}`);
    assert.doesNotMatch(reasonOf(text), /tom/i);
  }
});

test('U1 an address that only a new user may not have has its reason too', () => {
  assert.match(reasonOf('tom@acme'), /needs a dot, as in "acme\.com"$/);
  assert.match(reasonOf("'tom@acme.test"), /apostrophe around it$/);
  assert.equal(reasonOf('tom@-acme.test'), '');
});
