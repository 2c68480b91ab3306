/** Users who are missing from full files (rule U3a). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Knex } from 'knex';
import { findRun, openUndoRun } from '../../../db/control/runs.js';
import { describeKnown } from '../../../db/migrations/omission.js';
import { isFullFile } from '../../../importer/read/source.js';
import { rejectRun } from '../../../importer/run/rejection.js';
import { workNext } from '../../../importer/run/worker.js';
import type { RunSummary } from '../../../importer/types.js';
import { Company, csv } from '../../support/company.js';
import { onBothInLongTests } from '../../support/databases.js';

const dayMs = 86_400_000;
const header = 'User Email,User Name,Manager Email';
const people = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gil', 'hal'];
/** A row for each; `boss` manages them, and has no row. */
const rowsOf = (names: readonly string[]) => names.map((name) => `${name}@acme.test,${name},boss@acme.test`);
const fileOf = (names: readonly string[]) => csv(header, ...rowsOf(names));
const without = (...names: string[]) => people.filter((name) => !names.includes(name));

test('U3a a folder /full and a name mark full files', () => {
  for (const path of [
    '/full/users.csv',
    '/FULL/hr/users.csv',
    '/dry-run/full/u.csv',
    '/users.full.csv',
    '/a/u.FULL.csv.gz',
    '/users.full.csv.pgp',
    '/users.full.pgp',
    '/users.full.gz',
  ])
    assert.ok(isFullFile(path), path);
  for (const path of [
    '/users.csv',
    '/hr/full/users.csv',
    '/full.csv',
    '/fully/users.csv',
    '/users.full',
    '/a.full.pdf',
  ])
    assert.ok(!isFullFile(path), path);
});

onBothInLongTests('absence from full files', (open) => {
  const found = (t: Parameters<typeof Company.open>[1], omission = 'deactivate-after:2') =>
    Company.open(open, t, { options: { omission, maxDeactivations: '100%' } });
  /** One run on a new day. */
  async function send(acme: Company, files: Record<string, string>): Promise<RunSummary> {
    acme.clock += dayMs;
    return acme.import(files);
  }
  const statusOf = async (acme: Company, name: string) => (await acme.users())[`${name}@acme.test`]!.status;
  const missed = async (acme: Company, name: string) => (await acme.users())[`${name}@acme.test`]!.missed_files;
  async function undo(acme: Company, run: number) {
    const id = await openUndoRun(acme.deps.control.write, acme.org.id, run, acme.clock);
    assert.equal(await workNext(acme.deps, id), 'ended');
  }

  test('U3a told beforehand, then deactivated, then active again with a row', async (t) => {
    const acme = await found(t);
    await acme.import({ 'users.csv': fileOf(people) });
    const first = await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    assert.deepEqual(await acme.codes(first), ['omission_counted@']);
    assert.equal(await statusOf(acme, 'hal'), 'active');
    await send(acme, { 'delta.csv': fileOf(['ann']) });
    assert.equal(await missed(acme, 'hal'), 1, 'a delta counts for nothing');
    const second = await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    assert.deepEqual(await acme.codes(second), ['omission_deactivated@']);
    assert.deepEqual([second.users.deactivated, second.users.updated, second.users.unchanged], [1, 1, 7]);
    const hal = (await acme.users())['hal@acme.test']!;
    assert.deepEqual([hal.status, hal.deactivated_by, hal.missed_files], ['deactivated', 'absence', 0]);
    for (const other of ['boss', 'owner', 'ann']) assert.equal(await statusOf(acme, other), 'active', other);
    const third = await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    assert.deepEqual(await acme.codes(third), []);
    await send(acme, { 'users.csv': fileOf(['hal']) });
    assert.equal(await statusOf(acme, 'hal'), 'active');
  });

  test('U3a a row between, the same file again, and two full files in one run', async (t) => {
    const acme = await found(t);
    await acme.import({ 'users.csv': fileOf(people) });
    await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    await acme.import({ 'full/users.csv': fileOf(without('hal')) });
    assert.equal(await missed(acme, 'hal'), 1, 'the same file on the same day');
    await send(acme, { 'full/users.csv': fileOf(people) });
    assert.equal(await missed(acme, 'hal'), 0, 'a full file has him');
    const halves = { 'full/one.csv': fileOf(without('fay', 'gil', 'hal')), 'full/two.csv': fileOf(['fay', 'gil']) };
    const parts = await send(acme, halves);
    assert.deepEqual([await missed(acme, 'fay'), await missed(acme, 'ann'), await missed(acme, 'hal')], [0, 0, 1]);
    assert.equal(parts.users.deactivated, 0);
    await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    assert.equal(await statusOf(acme, 'hal'), 'deactivated');
  });

  test('U3a refused, faulty and empty files count for nothing', async (t) => {
    const acme = await found(t);
    await acme.import({ 'users.csv': fileOf(people) });
    await send(acme, { 'full/users.csv': fileOf(without('gil', 'hal')) });
    const faulty = csv(header, ...rowsOf(without('gil', 'hal')), 'gil@acme.test,one,', 'gil@acme.test,two,');
    await send(acme, { 'full/users.csv': faulty });
    assert.deepEqual([await missed(acme, 'gil'), await missed(acme, 'hal')], [0, 1], 'a faulty row is one');
    await send(acme, { 'full/users.csv': `${header}\n` });
    await send(acme, { 'full/users.csv': 'Name\nAnn\n' });
    await send(acme, { 'full/good.csv': fileOf(['ann']), 'full/bad.csv': 'Name\nAnn\n' });
    await send(acme, { 'full/teams.csv': csv('Team Name', 'Sales') });
    assert.equal(await missed(acme, 'hal'), 1);
    assert.equal(await missed(acme, 'bob'), 0);
  });

  test('U3a behind the guard: a file with one row is held, and counts for nothing when it is rejected', async (t) => {
    const acme = await found(t, 'deactivate-after:1');
    await acme.import({ 'users.csv': fileOf(people) });
    const held = await send(acme, { 'full/users.csv': fileOf(['ann']) });
    assert.equal(held.state, 'held');
    assert.deepEqual(
      held.hold.map(({ code }) => code),
      ['too_many_omitted'],
    );
    assert.equal(await statusOf(acme, 'hal'), 'active');
    const run = (await findRun(acme.deps.control.read, held.run!))!;
    assert.ok(await rejectRun(acme.deps, run, { by: 'operator:test', note: null }));
    await send(acme, { 'full/users.csv': fileOf(people) });
    assert.equal(await missed(acme, 'hal'), 0);
  });

  test('U3a an undo brings the user back and takes the count back', async (t) => {
    const acme = await found(t);
    await acme.import({ 'users.csv': fileOf(people) });
    const first = await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    await undo(acme, first.run!);
    assert.equal(await missed(acme, 'hal'), 0);
    await acme.import({ 'full/users.csv': fileOf(without('hal')) });
    assert.equal(await missed(acme, 'hal'), 1, 'the same file counts again after the undo');
    const second = await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    assert.equal(await statusOf(acme, 'hal'), 'deactivated');
    await undo(acme, second.run!);
    assert.deepEqual([await statusOf(acme, 'hal'), await missed(acme, 'hal')], ['active', 0]);
  });

  test('U3a whom no row describes leaves once no one names them; the last admin stays', async (t) => {
    const acme = await found(t, 'deactivate-after:1');
    const admins = csv('User Email,Is Org Admin', 'ann@acme.test,Yes', 'owner@acme.test,No');
    // Ann, who stays, has no manager.
    const rows = [...rowsOf(without('ann')), 'ann@acme.test,ann,'];
    await acme.import({ 'users.csv': csv(header, ...rows), 'admins.csv': admins });
    const summary = await send(acme, {
      'full/users.csv': csv(header, ...without('ann').map((name) => `${name}@acme.test,${name},owner@acme.test`)),
    });
    assert.equal(await statusOf(acme, 'boss'), 'deactivated');
    assert.equal(await statusOf(acme, 'ann'), 'active');
    assert.ok((await acme.codes(summary)).includes('omission_kept@'));
  });

  test('U3a of users from before the upgrade, the record of changes says whether a row has described them', async (t) => {
    const acme = await found(t);
    await acme.import({
      'teams.csv': csv('Team Name,Owner Email', 'Sales,Lead@acme.test'),
      'users.csv': fileOf(people),
    });
    await acme.import({
      'more.csv': csv(header, 'new@acme.test,New,Late@acme.test', 'ann@acme.test,,chief@acme.test'),
    });
    await acme.import({ 'chief.csv': csv(header, 'chief@acme.test,The Chief,') });
    const seen = async () =>
      Object.fromEntries(Object.values(await acme.users()).map(({ email, in_files }) => [email, in_files]));
    const before = await seen();
    assert.deepEqual(
      ['Lead', 'boss', 'Late', 'chief', 'new', 'owner'].map((name) => before[`${name}@acme.test`]),
      ['named', 'named', 'named', 'row', 'row', null],
    );
    await acme.deps.directory.write('users').update({ in_files: null });
    await describeKnown(acme.deps.directory.write as Knex);
    assert.deepEqual(await seen(), before);
  });

  test('U3a a planned deactivation is planned again when a row activates the user again', async (t) => {
    const acme = await found(t, 'deactivate-after:1');
    const dated = (name: string) => csv('User Email,Deactivation Date', `${name}@acme.test,2027-01-31`);
    await acme.import({ 'users.csv': fileOf(people), 'dates.csv': dated('hal') });
    const before = (await acme.users())['hal@acme.test']!;
    const left = await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    const gone = (await acme.users())['hal@acme.test']!;
    assert.deepEqual([gone.status, gone.deactivation_date, gone.deactivate_at], ['deactivated', null, null]);
    await undo(acme, left.run!);
    const plan = ({ status, deactivation_date, deactivate_at }: Record<string, unknown>) => [
      status,
      deactivation_date,
      deactivate_at,
    ];
    assert.deepEqual(plan((await acme.users())['hal@acme.test']!), plan(before));
    await send(acme, { 'full/users.csv': fileOf(without('hal')) });
    await send(acme, { 'dates.csv': dated('hal') });
    assert.deepEqual(plan((await acme.users())['hal@acme.test']!), plan(before));
  });

  test('U3a keep: absence changes nothing', async (t) => {
    const acme = await found(t, 'keep');
    await acme.import({ 'users.csv': fileOf(people) });
    const summary = await send(acme, { 'full/users.csv': fileOf(['ann']) });
    assert.deepEqual(await acme.codes(summary), []);
    assert.equal(await missed(acme, 'hal'), 0);
  });
});
