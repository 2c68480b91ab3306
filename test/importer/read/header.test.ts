/** What is said of labels: in the words of the file, and of what nobody sees in them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../../config/settings.js';
import { oneLine } from '../../../importer/outside.js';
import { letterOf, mergeTwins, readHeader } from '../../../importer/read/header.js';
import { wordingOf } from '../../../importer/read/labels.js';

const limits = settingsSchema.parse({});

function warningOf(label: string): string {
  const { warnings } = readHeader({ line: 1, cells: ['User Email', label] }, limits);
  return warnings.map(({ message }) => message).join('|');
}

test('F7 a label that only looks like a standard one is read, and the warning says what nobody sees', () => {
  for (const [label, what] of [
    ['Manager\u00a0Email', ' (with a non-breaking space)'],
    ['Manager\u202fEmail', ' (with a non-breaking space)'],
    ['Manager\r\nEmail', ' (with a line break)'],
    ['Manager\tEmail', ' (with a tab)'],
    ['Manager\u2003Email', ' (with a space of another width)'],
    ['Manager  Email', ' (with two spaces)'],
    ['Mana\u00adger Email', ' (with an invisible character)'],
    ['Manager\u200b\u00a0Email', ' (with a non-breaking space and an invisible character)'],
    ['manager email', ''],
  ] as const)
    assert.equal(
      warningOf(label),
      `The column "${oneLine(label)}"${what} was read as "Manager Email". Write it exactly like that.`,
    );
  for (const label of ['Manager Email', '\u00a0Manager Email\u200b', '="Manager Email"'])
    assert.equal(warningOf(label), '');
});

test('F1 a header of both kinds is refused in its own words', () => {
  const wording = wordingOf({ options: { aliases: { Mail: 'User Email', Squad: 'Team Name' } } }, []);
  assert.throws(
    () => readHeader({ line: 1, cells: ['Mail', 'Squad'] }, limits, wording),
    ({ refusal }) => refusal.message.startsWith('The header has both "Mail" and "Squad".'),
  );
});

test('F6 a label twice names both columns by letter and spelling', () => {
  const header = readHeader({ line: 1, cells: ['User Email', 'Office', 'Name', ' OFFICE '] }, limits);
  assert.deepEqual(
    header.warnings.map(({ message }) => message.split(';')[0]),
    ['The columns B ("Office") and D ("OFFICE") have the same meaning'],
  );
  const merge = (...cells: string[]) => mergeTwins({ line: 7, cells }, header).cells;
  assert.deepEqual(merge('a@b.test', 'Rome', 'A', ' Rome '), ['a@b.test', 'Rome', 'A', ' Rome ']);
  assert.deepEqual(merge('a@b.test', ' ', 'A', 'Rome'), ['a@b.test', 'Rome', 'A', 'Rome']);
  assert.deepEqual(merge('a@b.test', 'Rome', 'A'), ['a@b.test', 'Rome', 'A']);
  assert.throws(
    () => merge('a@b.test', 'Rome', 'A', 'Oslo'),
    ({ refusal }) =>
      refusal.message ===
      'The columns B ("Office") and D ("OFFICE") have the same meaning and different values, first on line 7. Remove or rename one of them.',
  );
  const letters = [0, 25, 26, 27, 51, 52, 701, 702].map(letterOf);
  assert.deepEqual(letters, ['A', 'Z', 'AA', 'AB', 'AZ', 'BA', 'ZZ', 'AAA']);
});
