/** How a warning names the lines of the rows that it concerns (U9). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameLines } from '../../../importer/plan/context.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

test('five lines are named, and the number of the others', () => {
  const names = [[3], [3, 5], [2, 3, 5, 8, 9], [2, 3, 5, 8, 9, 10], [2, 3, 5, 8, 9, 10, 11]].map(nameLines);
  assert.deepEqual(names, [
    'line 3',
    'lines 3 and 5',
    'lines 2, 3, 5, 8 and 9',
    'lines 2, 3, 5, 8, 9 and 1 more',
    'lines 2, 3, 5, 8, 9 and 2 more',
  ]);
});

onBothDatabases('lines of a ring', (open) => {
  test('U9 the warning says how many rows make the ring', async (t) => {
    const acme = await Company.open(open, t);
    const ring = Array.from({ length: 8 }, (_, n) => `u${n}@acme.test,u${(n + 1) % 8}@acme.test`);
    const { files } = await acme.import({ 'users.csv': csv('User Email,Manager Email', ...ring) });
    assert.match(await acme.read(files[0]!.report!), /ring with lines 2, 3, 4, 5, 6 and 2 more;/);
  });
});
