/** Whom a run would change: a held one planned anew, an applied one from its record, both told alike. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { changeList } from '../../cli/views/changes.js';
import { findRun } from '../../db/control/runs.js';
import { bumpVersion } from '../../db/directory/directory.js';
import { approveRun } from '../../importer/run/approval.js';
import { rejectRun } from '../../importer/run/rejection.js';
import { workNext } from '../../importer/run/worker.js';
import { type RunChange, withRunChanges } from '../../operations/changes.js';
import { confirmRun } from '../../operations/confirm.js';
import { Company, csv } from '../support/company.js';
import { onBothInLongTests, shareDatabases } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

const dayMs = 86_400_000;

onBothInLongTests('changes of a run', (open) => {
  const databases = shareDatabases(open);
  let companies = 0;
  const found = () =>
    Company.join(databases(), {
      id: `acme-${companies++}`,
      ownerEmail: 'owner@acme.test',
      teamsMode: 'replace',
      options: { identifier: 'ID', maxDeactivations: '0' },
    });
  const read = async (t: TestContext, acme: Company, id: number, most = 1000) => {
    const place = { ...(await workplaceOn(t, databases().settings)), now: () => acme.clock };
    const all: RunChange[] = [];
    let told = {};
    await withRunChanges(place, String(id), async ({ isApplied, isAsCounted, total, list }) => {
      for await (const { place: _, ...change } of list(most)) all.push(change);
      told = { isApplied, isAsCounted, total };
    });
    return { ...told, all } as { isApplied: boolean; isAsCounted: boolean; total: number; all: RunChange[] };
  };
  const approve = async (acme: Company, id: number) => {
    const run = (await findRun(acme.deps.control.read, id))!;
    assert.ok(await approveRun(acme.deps, run, { by: 'operator:test', note: null }));
    assert.equal(await workNext(acme.deps, id), 'ended');
  };
  const header = 'User Email,User Name,Manager Email,Teams,Is Org Admin,Deactivation Date,Office,ID';
  const first = csv(
    header,
    'ann@x.test,Ann,,Sales,No,,Rome,1',
    'bob@x.test,Bob,,Ops,No,,Oslo,2',
    'cyd@x.test,Cyd,,,No,,,3',
    'dan@x.test,Dan,bob@x.test,,No,,,4',
  );
  const second = csv(
    header,
    'ann@x.test,Ann,,Law,No,,Rome,1',
    'robert@x.test,Bob,,Ops,No,2026-03-10,Oslo,2',
    'cyd@x.test,Cyd,robert@x.test,,Yes,2026-09-01,,3',
    'eve@x.test,Eve,robert@x.test,Law,Yes,,Bern,5',
    'fay@x.test,Fay,gil@x.test,,No,,,6',
  );
  const teams = csv('Team Name,Owner Email,Team Type', 'Ops,robert@x.test,Unit', 'Lab,ann@x.test,Unit');

  test('a held run tells whom it would change, what weighs most first, and then changes just that', async (t) => {
    const acme = await found();
    await acme.import({ 'a.csv': first });
    const held = await acme.import({ 'users.csv': second, 'teams.csv': teams });
    assert.equal(held.state, 'held');
    acme.clock += dayMs;
    const planned = await read(t, acme, held.run!);
    assert.deepEqual([planned.isApplied, planned.isAsCounted, planned.total], [false, true, planned.all.length]);
    const tell = ({ file, line, entity, name, field, before, after }: RunChange) =>
      `${file}:${line} ${entity} ${name} ${field}: ${before} → ${after}`;
    const users = planned.all.filter(({ entity }) => entity === 'user').map(tell);
    assert.deepEqual(users.slice(0, 7), [
      '/users.csv:3 user bob@x.test Status: active → deactivated',
      '/users.csv:3 user bob@x.test Deactivation Date: null → 2026-03-10',
      '/users.csv:4 user cyd@x.test Deactivation Date: null → 2026-09-01',
      '/users.csv:4 user cyd@x.test Is Org Admin: No → Yes',
      '/users.csv:5 user eve@x.test : null → null',
      '/users.csv:3 user bob@x.test User Email: bob@x.test → robert@x.test',
      '/users.csv:4 user cyd@x.test Manager Email: null → robert@x.test',
    ]);
    const shown = changeList.toJson(planned.all.find(({ name }) => name === 'eve@x.test')!) as RunChange & {
      created: Record<string, string>;
    };
    assert.deepEqual([shown.created['Manager Email'], shown.created.Office], ['robert@x.test', 'Bern']);
    assert.match(changeList.columns.at(-1)!.cell(planned.all.find(({ name }) => name === 'Lab')!), /Owner Email: ann@/);
    assert.equal((await read(t, acme, held.run!, 3)).all.length, 3);

    await approve(acme, held.run!);
    const made = await read(t, acme, held.run!);
    assert.deepEqual([made.isApplied, made.total], [true, planned.total]);
    // The record names users as they are now.
    const now = (change: RunChange) => ({ ...change, name: change.name.replace('bob@', 'robert@') });
    const inOrder = (all: RunChange[]) => all.map((change) => JSON.stringify(now(change))).sort();
    assert.deepEqual(inOrder(made.all), inOrder(planned.all));
    const first7 = (all: RunChange[]) => all.slice(0, 7).map(({ field }) => field || 'created');
    assert.deepEqual(first7(made.all).toSorted(), first7(planned.all).toSorted());
    assert.equal(made.all[0]!.field, 'Status');
    assert.equal((await read(t, acme, held.run!, 3)).all.length, 3);
  });

  test('a number that is another organization’s run is refused, and a person is asked', async (t) => {
    const acme = await found();
    const { run } = await acme.import({ 'a.csv': first });
    const place = await workplaceOn(t, databases().settings);
    const asked: string[] = [];
    const answer = (yes: boolean) => async (question: string) => asked.push(question) > 0 && yes;
    const id = String(run);
    await assert.rejects(confirmRun(place, id, 'beta', 'Sure?', null), {
      code: 'refused',
      message: new RegExp(`run ${id} belongs to ${acme.org.id}, not to beta`),
    });
    await confirmRun(place, id, acme.org.id, 'Sure?', null);
    await confirmRun(place, id, undefined, 'Sure?', answer(true));
    await assert.rejects(confirmRun(place, id, undefined, 'Sure?', answer(false)), { code: 'refused' });
    assert.equal(asked.length, 2);
    assert.match(
      asked[0]!,
      new RegExp(`^Run ${id} of ${acme.org.id} .*opened 2026-03-10 .* is done\\. Users: 4 created`),
    );
  });

  test('a plan that is another one by now is told as such; a run that changed nothing has no changes', async (t) => {
    const acme = await found();
    const before = await acme.import({ 'a.csv': first });
    const held = await acme.import({ 'users.csv': second });
    await acme.deps.directory.transact(async (tx) => {
      await bumpVersion(tx, acme.org.id);
      await tx('users').where({ org_id: acme.org.id, email_key: 'cyd@x.test' }).update({ is_admin: 1 });
    });
    const planned = await read(t, acme, held.run!);
    assert.equal(planned.isAsCounted, false);
    assert.ok(!planned.all.some(({ field }) => field === 'Is Org Admin'));
    const run = (await findRun(acme.deps.control.read, held.run!))!;
    assert.ok(await rejectRun(acme.deps, run, { by: 'operator:test', note: null }));
    await assert.rejects(read(t, acme, held.run!), { code: 'refused', message: /is rejected: it changed nothing/ });
    await assert.rejects(read(t, acme, 999_999), { code: 'not_found' });
    assert.equal((await read(t, acme, before.run!)).total, (await read(t, acme, before.run!)).all.length);
  });
});
