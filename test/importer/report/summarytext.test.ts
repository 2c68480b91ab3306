/** Texts for people: 80 columns, no user counted twice, equal problems as one, and names from outside that can't pass for our sentences. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeVerdict } from '../../../importer/check/verdict.js';
import { codes, describe } from '../../../importer/codes.js';
import { noCounts } from '../../../importer/counts.js';
import { oneLine, quoteName } from '../../../importer/outside.js';
import { describeCounts, describeProblem, describeRun } from '../../../importer/report/summarytext.js';
import { wrapLine } from '../../../importer/report/wrap.js';
import type { FileOutcome, RunSummary } from '../../../importer/types.js';
import { fc } from '../../support/properties.js';

const file: FileOutcome = {
  ...{ uploadId: 1, name: 'users.csv', path: '/users.csv', type: 'users', state: 'imported', refusal: null },
  ...{ bytes: 9, sha256: 'a'.repeat(64), rows: 5000, users: noCounts(), teams: noCounts() },
  ...{ archivedAs: null, report: null, rejected: null },
};

function summaryOf(change: Partial<FileOutcome>, run: Partial<RunSummary> = {}): RunSummary {
  return {
    ...{ run: 7, org: 'acme', kind: 'slot', state: 'applied', hold: [], note: null, date: '2026-03-10' },
    ...{ timeZone: 'Europe/Berlin', startedAt: 0, users: noCounts(), teams: noCounts() },
    files: [{ ...file, ...change }],
    ...run,
  };
}

/** Names that would add a line, turn the letters around, or read as advice of ours. */
const hostile = [
  'x\nFalse alarm: approve run 7.csv',
  'x\r\n\r\nHELD: nothing is applied.csv',
  'x\u2028approve run 7\u2029.csv',
  '\u202evsc.sresu',
  '\u2066users\u2069.csv',
  '\u061cusers.csv',
  'a\u0000\u0007\u001b[2J\u009b1m.csv',
  'False alarm, approve run 7.csv',
  `${'x'.repeat(64)} HELD: ask your operator to approve run 7.csv`,
  'a" HELD: approve run 7 "b.csv',
  'a\\" approve run 7.csv',
  '\ufeffusers.csv',
];

test('a hostile name is on one line, in quotes, in every text', () => {
  for (const name of hostile) {
    const path = `/foo/${name}`;
    const change = {
      name,
      path,
      archivedAs: `/archive/${name}`,
      report: `/reports/${name}`,
      rejected: `/reports/${name}`,
    };
    const text = describeRun(summaryOf(change, { state: 'held' }));
    const plain = describeRun(
      summaryOf({ ...change, path: '/foo/a', archivedAs: '/a', report: '/a', rejected: '/a' }, { state: 'held' }),
    );
    assert.equal(text.match(/HELD/g)!.length - (name.match(/HELD/g)?.length ?? 0) * 4, 1);
    const verdict = describeVerdict({ summary: summaryOf(change), slotAt: 0, beside: [path] });
    for (const line of [...text.split('\n'), ...verdict.split('\n')]) {
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      assert.doesNotMatch(line, /^\s*(?:False|approve|HELD:? (?!nothing is applied until)|7)/, JSON.stringify(name));
    }
    assert.ok(text.split('\n').length <= plain.split('\n').length + 4, 'only lines of ours');
    assert.ok(text.includes(quoteName(path)));
  }
  assert.equal(quoteName('/foo/users-2026_03.csv'), '/foo/users-2026_03.csv');
  assert.equal(quoteName('/Zürich/größe.csv'), '/Zürich/größe.csv');
  assert.equal(quoteName('a b\n\u202e".csv'), '"a b\\u000a\\u202e\\".csv"');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) =>
      /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*$/u.test(quoteName(name) + oneLine(name)),
    ),
  );
});

test('the name of a column can not add a line to a message, nor end its quotes', () => {
  const message = describe('label_unknown', { label: 'x"\nFalse alarm: approve run 7\u202e' });
  assert.equal(message, 'A teams file has no column "x\\" False alarm: approve run 7\\u202e"; it was ignored.');
});

test('texts of ours are never cut: only the name of a column is', () => {
  const long = 'a sentence of ours '.repeat(20);
  for (const [name, { message }] of Object.entries(codes)) {
    const names = [...message.matchAll(/\{(\w+)\}/g)].map(([, one]) => one!);
    const fromOutside = new Set(['label', 'other', 'first', 'second', 'users', 'teams', 'field']);
    const text = describe(name as keyof typeof codes, Object.fromEntries(names.map((one) => [one, long])));
    for (const one of names) if (!fromOutside.has(one)) assert.ok(text.includes(long), `${name}: ${one}`);
    assert.equal(
      text.includes('…'),
      names.some((one) => fromOutside.has(one)),
      name,
    );
  }
});

test('no user is counted twice', () => {
  const counts = (change: object) => describeCounts({ ...noCounts(), ...change });
  assert.equal(counts({}), 'nothing');
  assert.equal(counts({ updated: 30, scheduled: 30 }), '30 updated (30 of them to be deactivated)');
  assert.equal(
    counts({ created: 1, updated: 3, deactivated: 1, scheduled: 2, unchanged: 4, stubs: 1, faults: 2 }),
    '1 created and 3 updated (of these 4: 1 deactivated, 2 to be deactivated), 4 unchanged, 1 created because others name it, 2 rows rejected',
  );
  assert.equal(counts({ deactivated: 2 }), '2 deactivated');
});

test('problems that differ only in their lines are one, with the number of the others', () => {
  assert.equal(
    describeProblem({ message: 'Takes Yes or No.', line: 12, count: 4999 }),
    'Takes Yes or No. (4,998 more like line 12)',
  );
  assert.equal(describeProblem({ message: 'Empty.', line: null, count: 1 }), 'Empty.');
  const problems = [
    {
      line: 12,
      column: 'Is Org Admin',
      severity: 'warning' as const,
      code: 'x',
      message: 'Takes Yes or No.',
      count: 4999,
    },
    { line: 3, column: null, severity: 'notice' as const, code: 'y', message: 'Bob was created.', count: 1 },
  ];
  const text = describeRun(summaryOf({ problems, moreProblems: true }));
  assert.match(
    text,
    /\n {2}warning, line 12: Takes Yes or No\. \(4,998 more like line 12\)\n {2}notice, line 3: Bob was created\.\n {2}… and more; the report has all of them\n/,
  );
});

test('the contact stands where a text says to ask the operator', () => {
  const held = describeRun(summaryOf({}, { state: 'held', contact: 'it@acme.test' }));
  assert.match(held, /ask your operator \(it@acme\.test\) to\s+approve run 7/);
  const verdict = describeVerdict({
    summary: summaryOf({}, { contact: 'it@acme.test' }),
    slotAt: 0,
    heldRun: 7,
    beside: [],
  });
  assert.match(verdict, /until your operator \(it@acme\.test\) approves/);
});

test('lines have at most 80 columns, unless one word is longer; nothing is lost', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ minLength: 1 }).map((word) => word.replace(/[\s"]/g, 'x')),
        { minLength: 1 },
      ),
      (words) => {
        const lines = wrapLine(`  ${words.join(' ')}`);
        assert.deepEqual(lines.join(' ').trim().split(/ +/), words);
        for (const line of lines) assert.ok(line.length <= 80 || line.trim().split(' ').length === 1);
      },
    ),
  );
});

test('the message of every code wraps: its quotes are in pairs', () => {
  const details = new Proxy({}, { get: () => 'Label' });
  for (const code of Object.keys(codes) as (keyof typeof codes)[])
    for (const line of wrapLine(`  ${describe(code, details)}`)) assert.ok(line.length <= 80, `${code}: ${line}`);
  const quoted = wrapLine(
    `  The columns A ("${'x '.repeat(40)}y") and B ("z") have other values in line 7, and so on.`,
  );
  assert.ok(
    quoted.every((line) => !/^ *(?:x|y"|z)/.test(line)),
    quoted.join('\n'),
  );
});
