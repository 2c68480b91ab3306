/** The users that an export of changes has, after real imports, on both databases. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lastDirectoryEvent } from '../../db/directory/events.js';
import { exportUsers } from '../../operations/export.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';

const file = csv('User Email,User Name,Manager Email', 'ann@acme.test,Ann,', 'bob@acme.test,Bob,ann@acme.test');

onBothDatabases('an export of changes', (open) => {
  test('has the users whom events after a number tell, and no others', async (t) => {
    const acme = await Company.open(open, t);
    const { directory } = acme.databases;
    const place = { directory, org: async () => acme.org };
    const changedAfter = async (event: number) => {
      let text = '';
      for await (const piece of exportUsers(place, 'acme', { changedAfterEvent: event })) text += piece;
      return text
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',').slice(0, 2).join(' '));
    };
    await acme.import({ 'users.csv': file });
    assert.deepEqual(await changedAfter(0), ['ann@acme.test Ann', 'bob@acme.test Bob', 'owner@acme.test ']);
    const first = await lastDirectoryEvent(directory.read);
    assert.deepEqual(await changedAfter(first), []);
    await acme.import({ 'users.csv': `${file.replace('Bob', 'Bobby')}cy@acme.test,Cy,bob@acme.test\n` });
    assert.deepEqual(await changedAfter(first), ['bob@acme.test Bobby', 'cy@acme.test Cy']);
    assert.deepEqual(await changedAfter(await lastDirectoryEvent(directory.read)), []);
  });
});
