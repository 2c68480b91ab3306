/** The list of changes beside a check or a held run: bounded, and safe in a spreadsheet; the states of a check's JSON. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { checkFile } from '../../../importer/check/check.js';
import { checkNext } from '../../../importer/check/checkworker.js';
import type { Source } from '../../../importer/read/source.js';
import { Company, csv } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';
import type { Scope } from '../../support/temporary.js';

const onSqlite = (scope: Scope) => openFresh(scope, 'sqlite');

function sourceOf(text: string): Source {
  return {
    ...{ name: 'users.csv', bytes: text.length, sha256: '' },
    open: async function* () {
      yield Buffer.from(text);
    },
  };
}

async function check(acme: Company, files: Record<string, string>): Promise<(name: string) => Promise<string>> {
  for (const [path, text] of Object.entries(files)) await acme.drop(`/dry-run/${path}`, text);
  acme.clock += 3_000;
  assert.equal(await checkNext({ ...acme.deps, mustYield: () => false }), 'checked');
  return (name) => acme.read(`/reports/2026-03-10/${name}`);
}

test('it lists who, column, before and after, of its own file only; no cell is run or longer than 1,000 letters', async (t) => {
  const acme = await Company.open(onSqlite, t);
  await acme.import({ 'users.csv': csv('User Email,User Name,Note', 'ann@acme.test,Ann,old', 'bob@acme.test,Bob,x') });
  const long = 'x'.repeat(5000);
  const read = await check(acme, {
    'a.csv': csv('User Email,User Name,Note', 'ann@acme.test,=cmd|x,ä', 'eve@acme.test,Eve,1'),
    'b.csv': csv('User Email,Note', `bob@acme.test,${long}`),
    'c.csv': csv('User Email,Note', 'owner@acme.test,'),
  });
  const text = await read('a.dry-run.changes.csv');
  assert.ok(text.startsWith('\ufeffwho,column,before,after,kind,file,line\r\n'), text);
  assert.deepEqual(parse(text, { bom: true }).slice(1).sort(), [
    ['ann@acme.test', 'Note', 'old', 'ä', 'user', '/dry-run/a.csv', '2'],
    ['ann@acme.test', 'User Name', 'Ann', "'=cmd|x", 'user', '/dry-run/a.csv', '2'],
    ['eve@acme.test', '(created)', '', 'User Name: Eve; Note: 1', 'user', '/dry-run/a.csv', '3'],
  ]);
  const [, only] = parse(await read('b.dry-run.changes.csv'));
  assert.deepEqual([only![0], only![3]!.length], ['bob@acme.test', 1001]);
  await assert.rejects(read('c.dry-run.changes.csv'), { code: 'not_found' }, 'no list without a change');
});

test('a check on the command line has the same list: the labels alone where nothing changes', async (t) => {
  const acme = await Company.open(onSqlite, t);
  await acme.import({ 'users.csv': csv('User Email,Note', 'ann@acme.test,old') });
  const lists: string[] = [];
  const onChanges = async (text: string) => {
    lists.push(text);
    return 'list.csv';
  };
  for (const row of ['ann@acme.test,ä', 'ann@acme.test,old', 'ann']) {
    const file = sourceOf(csv('User Email,Note', row));
    const summary = await checkFile(acme.deps, acme.org, file, { onIssues: () => {}, onChanges });
    assert.equal(summary.files[0]!.changes, 'list.csv');
  }
  const labels = 'who,column,before,after,kind,file,line\r\n';
  assert.deepEqual(lists, [`\ufeff${labels}ann@acme.test,Note,old,ä,user,users.csv,2\r\n`, labels, labels]);
});

test('it has at most 10,000 changes, and the number of the others', async (t) => {
  const acme = await Company.open(onSqlite, t);
  const rows = Array.from({ length: 10_007 }, (_, n) => `u${n}@acme.test`);
  const read = await check(acme, { 'users.csv': csv('User Email', ...rows) });
  const lines = (await read('users.dry-run.changes.csv')).trimEnd().split('\r\n');
  assert.deepEqual([lines.length, lines.at(-1)], [10_002, 'and 7 more,,,,,,']);
});

test('a check never says that it imported, and a check of a held plan or a refused file says what would be', async (t) => {
  const acme = await Company.open(onSqlite, t, { options: { maxDeactivations: '0' } });
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  for (const [text, state] of [
    [csv('User Email', 'bob@acme.test'), 'would_import'],
    [csv('User Email,Deactivation Date', 'ann@acme.test,2026-03-10'), 'would_hold'],
    [csv('Mail', 'x'), 'would_refuse'],
  ] as const) {
    const summary = await checkFile(acme.deps, acme.org, sourceOf(text), { onIssues: () => {} });
    assert.deepEqual([summary.state, summary.files[0]!.state], [state, state]);
    assert.doesNotMatch(JSON.stringify(summary), /imported|applied_?at/i);
  }
});
