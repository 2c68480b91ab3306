/** Every case of cases.ts, on both databases; in `npm test` each fourth one on PostgreSQL. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { updateOrg } from '../../../db/control/orgs.js';
import { noCounts } from '../../../importer/counts.js';
import { Company } from '../../support/company.js';
import { isShort, onBothDatabases, shareDatabases } from '../../support/databases.js';
import { cases } from '../cases.js';
import { valueCases } from '../valuecases.js';

const dayMs = 86_400_000;

onBothDatabases('import rules', (open, dialect) => {
  const databases = shareDatabases(open);
  for (const [place, { title, org, before = [], identifierSince, files, refused = false, says, ...expected }] of [
    ...cases,
    ...valueCases,
  ].entries()) {
    if (isShort && dialect === 'postgres' && place % 4 !== 0) continue;
    test(title, async () => {
      const acme = await Company.join(databases(), { id: `acme-${place}`, ownerEmail: 'owner@acme.test', ...org });
      for (const [index, { file, days = 0 }] of before.entries()) {
        await acme.import({ [`before-${index}.csv`]: file });
        acme.clock += days * dayMs;
      }
      if (identifierSince !== undefined)
        await updateOrg(databases().control.write, acme.org.id, { options: { identifier: identifierSince } });
      const summary = await acme.import(files);

      const sent = summary.files.findIndex(({ name }) => name === Object.keys(files)[0]);
      assert.deepEqual(await acme.codes(summary, sent), expected.codes ?? []);
      assert.equal(summary.files[sent]!.state, refused ? 'refused' : 'imported');
      if (says !== undefined) assert.match(summary.files[sent]!.refusal!.message, says);
      const users = await acme.users();
      for (const [email, values] of Object.entries(expected.users ?? {})) assertValues(email, users[email], values);
      const teams = await acme.teams();
      for (const [name, values] of Object.entries(expected.teams ?? {})) assertValues(name, teams[name], values);
      const refusals = refused ? { refused: 1 } : {};
      assert.deepEqual(summary.users, { ...noCounts(), ...expected.userCounts, ...refusals });
      assert.deepEqual(summary.teams, { ...noCounts(), ...expected.teamCounts });
    });
  }
});

function assertValues(name: string, found: object | undefined, values: Record<string, unknown> | null): void {
  if (values === null) {
    assert.equal(found, undefined, `${name} is there`);
    return;
  }
  assert.ok(found !== undefined, `${name} is not there`);
  for (const [column, value] of Object.entries(values)) {
    assert.deepEqual((found as Record<string, unknown>)[column], value, `${column} of ${name}`);
  }
}
