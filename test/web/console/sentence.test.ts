/** Reasons of operations as sentences: people of an organization, who have no command line, are sent to no command. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CodeName, codes, describe } from '../../../importer/codes.js';
import { toSentence, withoutCommands } from '../../../web/console/sentence.js';

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

const details: Record<string, string | number> = {
  ...{
    label: 'Work "Email" (users list)',
    other: 'Boss',
    first: 'A',
    second: 'B',
    field: 'Office',
    users: 'a@acme.test',
  },
  ...{ count: 3, limit: 5, line: 7, number: 2, at: 9, teams: 'North', code: 'date_invalid', kind: 'a date' },
};

/** A command, or the name of an option. */
const ofOperators = /dropslot [a-z]|\((?:setting )?[a-z]+[A-Z]\w*\)|\(setting \w+\)|\((?:users|fields|orgs) [a-z]+\)/;

test('no message of an import has a command or an option for people of an organization, and each stays a sentence', () => {
  for (const name of Object.keys(codes) as CodeName[]) {
    const places = [...codes[name].message.matchAll(/\{(\w+)\}/g)].map(([, place]) => place!);
    const message = describe(name, { ...Object.fromEntries(places.map((place) => [place, 'x'])), ...details });
    const told = withoutCommands(message);
    assert.doesNotMatch(told.replaceAll('(users list)', ''), ofOperators, name);
    assert.doesNotMatch(told, / {2}| [.,;]|\( ?\)/, name);
    assert.equal(
      told.includes('Work \\"Email\\" (users list)'),
      message.includes('(users list)'),
      `${name} keeps labels`,
    );
    if (!ofOperators.test(message) && !message.includes('with a command')) assert.equal(told, message, name);
  }
});

test('advice that only an operator can follow is to ask the operator', () => {
  const acme = { org: 'acme', isOfOrg: true };
  const cases: [string, string][] = [
    [
      'no file can be taken from source 3 since 2026-03-10 02:00 (Berlin): see "dropslot sources show 3"',
      'No file can be taken from source 3 since 2026-03-10 02:00 (Berlin): ask your operator.',
    ],
    ['given up after 5 attempts; see the log', 'Given up after 5 attempts; ask your operator.'],
    [
      'not imported: its name does not look like a data file; rename it or allow the pattern (orgs set importPatterns=…)',
      'Not imported: its name does not look like a data file; rename it, or ask your operator to allow such names.',
    ],
    [
      'operators decide about held runs of acme (setting approvals): ask your operator',
      'Operators decide about held runs of acme: ask your operator.',
    ],
  ];
  for (const [reason, told] of cases) {
    assert.equal(toSentence(reason, acme), told);
    assert.ok(toSentence(reason, { org: 'acme' }).includes(reason.slice(1)));
  }
});

test('the advice to set an alias names the page that saves it, also where lines of a report break it', () => {
  const refusal =
    'The header has neither: the column "Work Email" has the addresses. Rename it to "User Email", or ask your operator to run: dropslot orgs set acme aliases="Boss=Manager Email; Work Email=User Email". The first line must have the column names.';
  const told =
    'The header has neither: the column "Work Email" has the addresses. Rename it to "User Email", or ask an admin of your organization to choose what the column means, on the page "Check a file". The first line must have the column names.';
  assert.equal(withoutCommands(refusal), told);
  assert.equal(withoutCommands(refusal.replaceAll(' ', '\n  ')).replace(/\s+/g, ' '), told);
});
