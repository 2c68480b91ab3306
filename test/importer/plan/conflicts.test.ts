/** What a report says where an identifier and an email disagree (rule U15). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

onBothDatabases('an identifier and an email that disagree', (open) => {
  test('U15 the report says whose each of them is', async (t) => {
    const acme = await Company.open(open, t, { options: { identifier: 'Employee ID' } });
    const header = 'User Email,Employee ID';
    await acme.import({
      'users.csv': csv(header, 'Ann@acme.test,E-001', 'bob@acme.test,E-002', 'cyd@acme.test,'),
    });
    const { files } = await acme.import({
      'users.csv': csv(header, 'ann@acme.test,E-900', 'bob@acme.test,E-001', 'cyd@acme.test,E-002'),
    });
    const said = (await acme.read(files[0]!.report!)).trim().split('\r\n').slice(1);
    assert.deepEqual(
      said.map((line) => /identifier_conflict,"(.*)",E-\d+$/.exec(line)?.[1]?.replaceAll('""', '"')),
      [
        'No user has the "Employee ID" E-900; the email belongs to the user with E-001. Correct the "Employee ID" or the email.',
        'The user with the "Employee ID" E-001 has the email Ann@acme.test; the email of this row belongs to the user with E-002. ' +
          'Correct the "Employee ID" or the email.',
        'The user with the "Employee ID" E-002 has the email bob@acme.test; the email of this row belongs to a user without ' +
          '"Employee ID". Correct the "Employee ID" or the email.',
      ],
    );
  });
});
