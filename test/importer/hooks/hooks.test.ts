/** Import hooks: refuse a file, map rows, hold a run, hear of its end; and hooks that fail lose nothing. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findOrg } from '../../../db/control/orgs.js';
import { findRun, openManualRun } from '../../../db/control/runs.js';
import { listQueue } from '../../../db/control/uploads.js';
import { checkFile } from '../../../importer/check/check.js';
import { loadHooks } from '../../../importer/hooks/load.js';
import { openDiskSource } from '../../../importer/read/source.js';
import { approveRun } from '../../../importer/run/approval.js';
import { orderSources } from '../../../importer/run/order.js';
import { workNext } from '../../../importer/run/worker.js';
import type { RunSummary } from '../../../importer/types.js';
import { Company, csv } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';
import { keepingLogger } from '../../support/session.js';

async function openHooked(t: TestContext, code: string): Promise<{ acme: Company; rewrite: (code: string) => void }> {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const path = join(acme.deps.settings.data, 'hooks.mjs');
  const rewrite = (text: string) => writeFileSync(path, text);
  rewrite(code);
  Object.assign(acme.deps.settings, { importHooks: path, importHookSeconds: 0.2 });
  return { acme, rewrite };
}

const renames = (domain: string) => `export function mapRow({ Mail, ...row }) {
  if (Mail === 'broken') throw new Error('Mail has no address');
  return { 'User Email': Mail + '@${domain}', ...row };
}`;

test('mapRow renames, joins and adds columns; a row for which it throws is a fault, and goes back as it was sent', async (t) => {
  const { acme } = await openHooked(t, renames('acme.test'));
  const summary = await acme.import({
    'users.csv': csv('Mail,First Name', 'broken,Bo', 'ann,Ann', 'cy,Cy', 'too,many,cells'),
  });
  const { users, state } = summary;
  assert.deepEqual([state, users.created, users.faults], ['applied', 2, 2]);
  assert.ok((await acme.users())['ann@acme.test']);
  assert.deepEqual(await acme.codes(summary), ['hook_fault@2', 'cell_count@5']);
  const rejected = (await acme.read(summary.files[0]!.rejected!)).split('\n');
  assert.match(rejected[0]!, /^Mail,First Name,Dropslot Problem/);
  assert.match(rejected[1]!, /^broken,Bo,.*Mail has no address/);
  // The rejected file comes back, mended.
  const mended = rejected.slice(0, 2).join('\n').replace('broken', 'bo');
  const again = await acme.import({ 'mended.csv': `${mended}\n` });
  assert.deepEqual([again.users.created, again.users.faults], [1, 0]);
});

test('known rows are left out, and read again with another version of mapRow', async (t) => {
  const { acme, rewrite } = await openHooked(t, renames('acme.test'));
  const rows = ['ann,Ann', 'bob,Bob', 'cy,Cy'];
  await acme.import({ 'users.csv': csv('Mail,First Name', ...rows) });
  const second = await acme.import({ 'users.csv': csv('Mail,First Name', ...rows, 'di,Di') });
  assert.deepEqual([second.users.created, second.users.unchanged], [1, 3]);
  rewrite(renames('other.test'));
  const third = await acme.import({ 'users.csv': csv('Mail,First Name', ...rows, 'di,Di') });
  assert.deepEqual([third.users.created, third.users.unchanged], [4, 0]);
});

test('the types in mapped headers are written in one statement, and not again while they are the same', async (t) => {
  const { acme } = await openHooked(t, renames('acme.test'));
  const { control } = acme.deps;
  const org = (await findOrg(control.read, 'acme'))!;
  for (const name of ['a', 'b', 'c']) await acme.drop(`/${name}.csv`, csv('Mail,First Name', `${name},Ann`));
  let writes = 0;
  control.write.on('query', ({ sql }: { sql: string }) => {
    if (sql.includes('header_type')) writes++;
  });
  for (const expected of [1, 0]) {
    writes = 0;
    const uploads = await listQueue(control.read, 'acme');
    const sources = await orderSources(acme.deps, () => acme.deps.identity(org), org, uploads);
    assert.deepEqual(
      sources.map(({ type }) => type),
      ['users', 'users', 'users'],
    );
    assert.equal(writes, expected);
  }
});

const answers: [string, string, RegExp][] = [
  ['a value that is no text', 'return { ...row, n: 1 }', /the value of "n" is not a text/],
  ['a promise', 'return Promise.resolve(row)', /must return an object/],
  ['nothing', '', /must return an object/],
  ['a new column in a later row', "return row['User Email'][0] === 'a' ? row : { ...row, x: 'y' }", /returned "x"/],
];
for (const [name, body, message] of answers)
  test(`mapRow returns ${name}: a fault of the row`, async (t) => {
    const { acme } = await openHooked(t, `export const mapRow = (row) => { ${body} }`);
    const summary = await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test', 'bob@acme.test') });
    const report = await acme.read(summary.files[0]!.report!);
    assert.match(report.replaceAll('""', '"'), message);
    assert.ok(summary.users.faults >= 1);
  });

test('two columns with one label are refused, since a row of mapRow has each label once', async (t) => {
  const { acme } = await openHooked(t, 'export const mapRow = (row) => row');
  const summary = await acme.import({ 'users.csv': csv('User Email,City,City', 'ann@acme.test,a,b') });
  assert.deepEqual(await acme.codes(summary), ['hook_labels@1']);
});

test('beforeImport refuses a file with its reason, at the import and at a check', async (t) => {
  const code = `export async function beforeImport({ name, org, purpose }) {
    if (name.startsWith('test')) return { refuse: org + ' sends no tests, ' + purpose };
  }`;
  const { acme } = await openHooked(t, code);
  const files = { 'test.csv': csv('User Email', 'ann@acme.test'), 'users.csv': csv('User Email', 'bob@acme.test') };
  const { files: outcomes } = await acme.import(files);
  assert.deepEqual(outcomes.map(({ name, state }) => [name, state]).sort(), [
    ['test.csv', 'refused'],
    ['users.csv', 'imported'],
  ]);
  assert.match(outcomes.find(({ name }) => name === 'test.csv')!.refusal!.message, /: acme sends no tests, import\.$/);
  const path = join(acme.deps.settings.data, 'test.csv');
  writeFileSync(path, files['test.csv']);
  const checked = await checkFile(acme.deps, acme.org, await openDiskSource(path), { onIssues: () => {} });
  assert.match(checked.files[0]!.refusal!.message, /acme sends no tests, check\./);
});

test('the file is announced before beforeImport is called, so that a hook that hangs counts against it', async (t) => {
  const { acme } = await openHooked(t, "export const beforeImport = () => { throw new Error('no'); }");
  await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
  const { id } = await acme.deps.control.read('uploads').first('id');
  const run = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
  const read: (number | null)[] = [];
  await workNext({ ...acme.deps, onFile: (upload) => read.push(upload) }, run);
  assert.deepEqual(read, [id, null]);
});

test('beforeApply holds a run; approved, it is applied, and afterApply hears of it', async (t) => {
  const code = `export const beforeApply = ({ users, files }) =>
    users.created > 1 ? { hold: users.created + ' users in ' + files[0].name } : null;
  export const afterApply = (run) => { globalThis.heardOfRuns = [...(globalThis.heardOfRuns ?? []), run]; };`;
  const { acme } = await openHooked(t, code);
  const held = await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test', 'bob@acme.test') });
  assert.deepEqual([held.state, held.hold.map(({ code }) => code)], ['held', ['hook_hold']]);
  assert.match(held.hold[0]!.message, /approves it: 2 users in users\.csv\. Nothing was changed\./);
  const { heardOfRuns: before } = globalThis as { heardOfRuns?: unknown[] };
  assert.equal(before, undefined);
  const { control } = acme.deps;
  assert.ok(
    await approveRun(acme.deps, (await findRun(control.read, held.run!))!, { by: 'operator:test', note: null }),
  );
  assert.equal(await workNext(acme.deps), 'ended');
  assert.ok((await acme.users())['bob@acme.test']);
  const { heardOfRuns } = globalThis as unknown as { heardOfRuns: { run: number; users: { created: number } }[] };
  assert.deepEqual(
    heardOfRuns.map(({ run, users }) => [run, users.created]),
    [[held.run, 2]],
  );
});

const failures: [string, string][] = [
  ['throws', "export const beforeImport = () => { throw new Error('no network'); }"],
  ['never answers', 'export const beforeImport = () => new Promise(() => {})'],
  ['gives a wrong answer', 'export const beforeImport = () => true'],
  ['holds without a reason', "export const beforeApply = () => ({ hold: '' })"],
  ['can not be loaded', 'export const beforeImport ='],
];
for (const [name, code] of failures)
  test(`a hook that ${name} pauses the run; once it is corrected, the file is imported`, async (t) => {
    const { acme, rewrite } = await openHooked(t, code);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const id = await openManualRun(control.write, 'acme', acme.clock);
    const { logger, lines } = keepingLogger();
    assert.equal(await workNext({ ...acme.deps, logger }, id), 'left');
    assert.match(lines.join(''), /import hook/);
    rewrite('export const afterApply = () => { throw new Error("too late"); }');
    acme.clock += 600_000;
    assert.equal(await workNext(acme.deps, id), 'ended');
    const { files } = (await findRun(control.read, id))!.summary as RunSummary;
    assert.equal(files[0]!.state, 'imported');
  });

test('a file of hooks that exports anything else is not accepted', async (t) => {
  const { acme, rewrite } = await openHooked(t, 'export const beforImport = () => {}');
  await assert.rejects(
    loadHooks(acme.deps.settings),
    /exports "beforImport", which is no hook; hooks are beforeImport,/,
  );
  rewrite('export const mapRow = 1');
  await assert.rejects(loadHooks(acme.deps.settings), /export "mapRow" is not a function/);
});
