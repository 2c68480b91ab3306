/** Reports of checks: readable names, never one for two files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameReports } from '../../../importer/check/checkreports.js';
import { fc } from '../../support/properties.js';

const textOf = (path: string) => nameReports(path.split('/'), 'check')('txt');

test('names are readable', () => {
  assert.equal(textOf('users.csv'), 'users.check.txt');
  assert.equal(textOf('users-2026-03.csv'), 'users-2026-03.check.txt');
  assert.equal(textOf('hr/users.csv'), 'hr--users.check.txt');
  assert.equal(textOf('hr/acme-emea/users-2.csv'), 'hr--acme-emea--users-2.check.txt');
  assert.equal(textOf('USERS.CSV'), 'USERS.CSV.check.txt');
  assert.match(textOf('users'), /^users-[0-9a-f]{8}\.check\.txt$/);
  assert.match(textOf('hr--users.csv'), /^hr--users-[0-9a-f]{8}\.check\.txt$/);
});

test('names are safe on every system, and a twin by case has digits', () => {
  assert.match(textOf('hr:1/us*ers.csv'), /^hr_1--us_ers-[0-9a-f]{8}\.check\.txt$/);
  assert.match(textOf('con.csv'), /^_con-[0-9a-f]{8}\.check\.txt$/);
  assert.match(textOf('e\u0301.csv'), /^é-[0-9a-f]{8}\.check\.txt$/);
  assert.match(nameReports(['Users.csv'], 'check', true)('txt'), /^Users-[0-9a-f]{8}\.check\.txt$/);
});

test('two files never share a name, nor two kinds of report', () => {
  const part = fc.stringMatching(/^[-a.]{1,5}$/).filter((name) => !/^\.+$/.test(name));
  const ending = fc.constantFrom('', '.csv', '.CSV', '.csv.csv', '.txt', '.txt.csv', 'é'.repeat(120));
  const path = fc
    .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), ending)
    .map(([parts, end]) => parts.join('/') + end);
  fc.assert(
    fc.property(fc.uniqueArray(path, { minLength: 2, maxLength: 60 }), (paths) => {
      const names = paths.flatMap((one) =>
        (['check', 'dry-run'] as const).flatMap((mark) =>
          ['txt', 'json', 'csv', 'rejected.csv', 'changes.csv'].map((end) => nameReports(one.split('/'), mark)(end)),
        ),
      );
      assert.equal(new Set(names).size, names.length);
      for (const name of names) assert.ok(Buffer.byteLength(name) <= 255);
    }),
    { numRuns: 200 },
  );
});
