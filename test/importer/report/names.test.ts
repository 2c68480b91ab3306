/** The names of reports and archived files: short enough to be opened, safe on every system, and never two that Windows takes for one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listEntries } from '../../../db/control/entries.js';
import { foldName, safeName } from '../../../db/control/names.js';
import { archiveFolder, reportsFolder } from '../../../db/control/treelayout.js';
import { dateIn } from '../../../importer/schedule/calendar.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

const faulty = (email: string) => csv('User Email', email, 'no address');

/** The names in the folders of today's reports and of today's archive. */
async function namesOf({ deps, org, clock }: Company): Promise<string[][]> {
  const date = dateIn(org.timeZone, clock);
  const folders = [reportsFolder(date), archiveFolder(date)];
  return Promise.all(
    folders.map(async (folder) =>
      (await listEntries(deps.control.read, org.id, folder, null, 1000)).map(({ name }) => name),
    ),
  );
}

onBothDatabases('names of reports', (open) => {
  test('reports on files with names of 255 bytes can be opened', async (t) => {
    const acme = await Company.open(open, t);
    const long = `${'é'.repeat(125)}x.csv`;
    const longer = `${'é'.repeat(124)}xyz.csv`;
    const summary = await acme.import({ [long]: faulty('ann@acme.test'), [longer]: faulty('bob@acme.test') });
    assert.deepEqual(
      summary.files.map(({ archivedAs }) => archivedAs?.split('/').at(-1)),
      [long, longer],
    );
    for (const { report, rejected } of summary.files) {
      assert.match(await acme.read(report!), /no address/);
      assert.match(await acme.read(rejected!), /no address/);
    }
    for (const names of await namesOf(acme))
      for (const name of names) assert.ok(Buffer.byteLength(name) <= 255, `${Buffer.byteLength(name)} bytes`);
  });

  test('names that Windows can not store or tell apart get safe, distinct ones in reports and archive', async (t) => {
    const acme = await Company.open(open, t);
    const sent = [
      'users.csv',
      'USERS.csv',
      'é.csv',
      'e\u0301.csv',
      'a:b.csv',
      'a?b.csv',
      'con.csv',
      'x .csv',
      'x.csv. ',
    ];
    const files = sent.map((name, turn) => [name, faulty(`user${turn}@acme.test`)] as const);
    const summary = await acme.import(Object.fromEntries(files));
    assert.deepEqual(summary.files.map(({ name }) => name).sort(), [...sent].sort());
    for (const names of await namesOf(acme)) {
      assert.ok(names.length > 2 * sent.length);
      assert.equal(new Set(names.map(foldName)).size, names.length, names.join(' '));
      for (const name of names) assert.equal(safeName(name), name);
    }
    for (const { report, archivedAs } of summary.files) {
      assert.match(await acme.read(report!), /no address/);
      assert.match(await acme.read(archivedAs!), /no address/);
    }
  });
});
