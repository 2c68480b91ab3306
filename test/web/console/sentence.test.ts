/** Reasons of operations as sentences: people of an organization, who have no command line, are sent to no command. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toSentence } from '../../../web/console/sentence.js';

const cases: [reason: string, ofOrg: string][] = [
  [
    'hr@acme.test was added already, and is not confirmed: send it another code with "dropslot notify resend acme hr@acme.test"',
    'hr@acme.test was added already, and is not confirmed: send it another code.',
  ],
  [
    'hr@acme.test gets mail about acme already; change it with "dropslot notify set acme hr@acme.test --events …"',
    'hr@acme.test gets mail about acme already; change it.',
  ],
  ['no key of acme begins with x; see "dropslot keys list acme"', 'No key of acme begins with x.'],
  ['acme has no other key to replace: dropslot keys add acme FILE', 'acme has no other key to replace.'],
  [
    'run 3 is done, there is nothing to try again; to import one of its files again: dropslot files requeue acme PATH',
    'Run 3 is done, there is nothing to try again.',
  ],
  ['ann@acme.test is deactivated: first dropslot users reactivate acme ann@acme.test', 'ann@acme.test is deactivated.'],
  ['a dropslot of files is no command', 'A dropslot of files is no command.'],
  ['the mail could not be sent: connection refused', 'The mail could not be sent: connection refused.'],
];

test('people of an organization read reasons without commands of a shell, operators with them', () => {
  for (const [reason, ofOrg] of cases) {
    assert.equal(toSentence(reason, { org: 'acme', isOfOrg: true }), ofOrg);
    const begin = reason.slice(1, 40);
    assert.ok(toSentence(reason, { org: 'acme' }).includes(begin));
    assert.equal(toSentence(reason, { org: 'acme' }).includes('dropslot '), reason.includes('dropslot '));
  }
});

test('the id of the organization at the beginning stays as it is', () => {
  assert.equal(toSentence('acme is disabled', { org: 'acme' }), 'acme is disabled.');
  assert.equal(toSentence('acme is disabled'), 'Acme is disabled.');
});
