/** Rejected rows: their reasons in two last columns, which an import ignores; identifiers and short rows survive a spreadsheet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { settingsSchema } from '../../../config/settings.js';
import { countCells, fitsHeader } from '../../../importer/read/columnsurvey.js';
import { keepCell, readCell } from '../../../importer/read/formulaguard.js';
import { readHeader } from '../../../importer/read/header.js';
import type { RunSummary } from '../../../importer/types.js';
import { Company, csv } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';
import { fc } from '../../support/properties.js';

const limits = settingsSchema.parse({});
const ours = ['Dropslot Problem', 'Dropslot Line'];
const headerOf = (...cells: string[]) => readHeader({ line: 1, cells }, limits);
const notAnEmail = '"User Email" is not a valid email address: it has no @. Correct it.';
const countOf = (count: number) =>
  `The header has 4 cells, this row ${count}. Look for a missing or an extra separator or quote.`;

test('the two columns are ignored where they are the last two, and are no fields elsewhere', () => {
  for (const cells of [
    ['User Email', 'Desk', ...ours],
    ['User Email', 'Desk', ...ours, '', ''],
    ['User Email', 'Desk', 'dropslot problem', 'DROPSLOT LINE'],
    ['Team Name', 'Parent Team', ...ours],
  ]) {
    const header = headerOf(...cells);
    const kinds = header.columns.map(({ meaning }) => meaning.kind);
    assert.deepEqual([kinds.slice(2, 4), header.named, header.own], [['ignored', 'ignored'], 2, 2]);
    assert.ok(!header.warnings.some(({ column }) => /dropslot/i.test(column ?? '')), 'no warning');
  }
  for (const cells of [
    ['User Email', ...ours, 'Desk'],
    ['User Email', 'Desk', ...ours.toReversed()],
    ['User Email', 'Desk', 'Dropslot Problem'],
  ]) {
    const header = headerOf(...cells);
    const own = header.columns.filter(({ label }) => label.startsWith('Dropslot'));
    assert.deepEqual(new Set(own.map(({ meaning }) => meaning.kind)), new Set(['ignored']));
    assert.equal(header.warnings.filter(({ code }) => code === 'label_reserved').length, own.length);
  }
});

test('they do not count for the most columns of a file', () => {
  const most = Array.from({ length: limits.maxColumns - 1 }, (_, index) => `Field ${index}`);
  assert.equal(headerOf('User Email', ...most, ...ours).named, limits.maxColumns);
});

test('a row that was rejected for the number of its cells is rejected again until it is mended', () => {
  const header = headerOf('User Email', 'First Name', 'Last Name', 'Desk', ...ours);
  const rows: [cells: string[], fits: boolean, count?: number][] = [
    [['a@x.test', 'Ann', '', '', countOf(2), '9'], false, 2],
    [['a@x.test', 'Ann', ' ', '', countOf(2), '9', ''], false, 2],
    [['a@x.test', 'Ann', 'Lee', '', countOf(2), '9'], true],
    [['a@x.test', 'Ann', '', '', '', '9'], true],
    [['a@x.test', 'Ann', '', '', notAnEmail, '9'], true],
    [['a@x.test', 'Ann', '', ''], true],
    [['a@x.test', 'Ann', ''], false, 3],
    [['a@x.test', 'Ann', 'Lee', '7', 'x', countOf(5), '9'], false, 5],
    [['a@x.test', 'Ann', 'Lee', '7', '', countOf(5), '9'], false, 5],
  ];
  for (const [cells, fits, count] of rows) {
    const row = { line: 2, cells };
    assert.equal(fitsHeader(row, header), fits, cells.join());
    if (count !== undefined) assert.equal(countCells(row, header), count, cells.join());
  }
});

test('a number that a spreadsheet would change is written as a text, and read back as it was', () => {
  for (const [cell, written, asIdentifier = written] of [
    ['00003', '="00003"'],
    ['123456789012', '="123456789012"'],
    ['1E5', '="1E5"'],
    ['7', '7'],
    ['12345678901', '12345678901'],
    ['3-12', '3-12', '="3-12"'],
    ['MAR1', 'MAR1', '="MAR1"'],
    ['1.10', '1.10', '="1.10"'],
    ['Ops', 'Ops'],
    ['', ''],
    ["'00003", "'00003"],
    ['="00003"', '="00003"'],
    ['=1+1', "'=1+1"],
    ['+49 30', "'+49 30"],
  ] as [string, string, string?][]) {
    assert.equal(keepCell(cell), written, cell);
    assert.equal(keepCell(cell, true), asIdentifier, cell);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.boolean(), (cell, isIdentifier) => {
      assert.equal(readCell(keepCell(cell, isIdentifier)), readCell(cell));
    }),
  );
});

test('rows go to the sender and back: reasons, lines, identifiers, a row as it was sent', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, { options: { identifier: 'Employee ID' } });
  const sent = csv(
    'User Email,User Name,Employee ID,Badge',
    'bob(at)acme.test,Bob,3-12,00003',
    'cyd@acme.test,Cyd',
    'dan@acme.test,"Dan" Miller,4,7',
    'eve@acme.test,Eve,5,8',
  );
  const read = (summary: RunSummary) => acme.read(summary.files[0]!.rejected!);
  const first = await acme.import({ 'users.csv': sent });
  const rejected = await read(first);
  const lines = rejected.split('\r\n');
  assert.equal(lines[0], 'User Email,User Name,Employee ID,Badge,Dropslot Problem,Dropslot Line');
  assert.deepEqual(parse(lines[1]!, { relax_quotes: true })[0], [
    ...['bob(at)acme.test', 'Bob', '="3-12"', '="00003"', notAnEmail, '2'],
  ]);
  assert.equal(lines[2], `cyd@acme.test,Cyd,,,"${countOf(2)}",3`);
  assert.match(lines[3]!, /^dan@acme\.test,"Dan" Miller,4,7,"A cell that begins with a quote .*",4$/);

  const again = await acme.import({ 'users.rejected.csv': rejected });
  assert.deepEqual([again.users.created, again.users.faults, again.users.warnings], [0, 3, 0], 'nothing is mended');
  assert.equal((await read(again)).split('\r\n')[2], `cyd@acme.test,Cyd,,,"${countOf(2)}",3`);

  const mended = (await read(again))
    .replace('(at)', '@')
    .replace('cyd@acme.test,Cyd,,', 'cyd@acme.test,Cyd,00009,')
    .replace('"Dan" Miller', '"""Dan"" Miller"');
  const last = await acme.import({ 'users.mended.csv': mended });
  assert.deepEqual([last.users.created, last.users.faults, last.users.warnings], [3, 0, 0]);
  assert.deepEqual(last.files[0]!.newFields, []);
  const users = await acme.users();
  assert.deepEqual(users['bob@acme.test']!.custom, { Badge: '00003', 'Employee ID': '3-12' });
  assert.deepEqual(users['cyd@acme.test']!.custom, { 'Employee ID': '00009' });
  assert.equal(users['dan@acme.test']!.user_name, '"Dan" Miller');
});
