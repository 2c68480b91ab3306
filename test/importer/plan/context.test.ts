/** How a warning names the lines of the rows that it concerns (U9). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameLines } from '../../../importer/plan/context.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

test('five lines are named, and the number of the others', () => {
  const names = [[3], [3, 5], [2, 3, 5, 8, 9], [2, 3, 5, 8, 9, 10], [2, 3, 5, 8, 9, 10, 11]].map((lines) =>
    nameLines(lines),
  );
  assert.deepEqual(names, [
    'line 3',
    'lines 3 and 5',
    'lines 2, 3, 5, 8 and 9',
    'lines 2, 3, 5, 8, 9 and 1 more',
    'lines 2, 3, 5, 8, 9 and 2 more',
  ]);
  assert.equal(nameLines([3], false), 'lines 3 and more');
  assert.equal(nameLines([2, 3, 5, 8, 9, 10], false), 'lines 2, 3, 5, 8, 9 and at least 1 more');
});

onBothDatabases('lines of a ring', (open) => {
  test('U9 the warning says how many rows make the ring', async (t) => {
    const acme = await Company.open(open, t);
    const ring = Array.from({ length: 8 }, (_, n) => `u${n}@acme.test,u${(n + 1) % 8}@acme.test`);
    const { files } = await acme.import({ 'users.csv': csv('User Email,Manager Email', ...ring) });
    assert.match(await acme.read(files[0]!.report!), /ring with lines 2, 3, 4, 5, 6 and 2 more;/);
    // A longer ring is not followed to its end.
    const long = Array.from({ length: 30 }, (_, n) => `v${n}@acme.test,v${(n + 1) % 30}@acme.test`);
    const again = await acme.import({ 'users.csv': csv('User Email,Manager Email', ...long) });
    assert.match(await acme.read(again.files[0]!.report!), /ring with lines 2, 3, 4, 5, 6 and at least 14 more;/);
  });

  test('U9 T3 names are as written, and a member whom the file gives no other manager is named', async (t) => {
    const acme = await Company.open(open, t);
    const header = 'User Email,User Name,Manager Email';
    await acme.import({
      'users.csv': csv(header, 'Ann@Acme.test,Ann,Bob@acme.test', 'Bob@acme.test,Bob,', 'cyd@acme.test,Cyd,'),
      'teams.csv': csv('Team Name,Parent Team', 'EMEA  West,World', 'World,'),
    });
    const { files } = await acme.import({
      'users.csv': csv(
        header,
        'BOB@acme.test,Bob,CYD@acme.test',
        'cyd@acme.test,Cyd,ann@acme.test',
        'ann@acme.test,Ann,',
      ),
      'teams.csv': csv('Team Name,Parent Team', 'world,emea west'),
    });
    const lineOf = async (name: string) =>
      (await acme.read(files.find((file) => file.name === name)!.report!)).split('\r\n')[1];
    assert.equal(
      await lineOf('users.csv'),
      '3,Manager Email,warning,manager_ring,"This manager would close a ring with line 2; the manager was left as it is. In that ring the ' +
        'file names no other one for ann@acme.test, so that the earlier one is kept. Correct one of these managers.",' +
        'cyd@acme.test → ann@acme.test → BOB@acme.test → cyd@acme.test',
    );
    assert.match((await lineOf('teams.csv'))!, /no other one for EMEA West, so that .*,world → EMEA West → world$/);
  });
});
