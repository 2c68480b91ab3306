/** The memberships that users are created with: planned beside the users, and recorded like any other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openUndoRun } from '../../../db/control/runs.js';
import { readDirectoryEvents } from '../../../db/directory/events.js';
import { listHistory } from '../../../db/directory/history.js';
import { checkNext } from '../../../importer/check/checkworker.js';
import { workNext } from '../../../importer/run/worker.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

onBothDatabases('memberships of new users', (open) => {
  /** Oldest first, without creations: the line, and the team before and after. */
  const memberships = async (acme: Company, email: string) => {
    const { id } = (await acme.users())[email]!;
    const all = await listHistory(acme.deps.directory.read, 'user', String(id), 100);
    const first = Math.min(...all.map(({ uploadId }) => uploadId ?? 0));
    return all
      .reverse()
      .filter(({ field }) => field === 'Teams')
      .map(({ uploadId, line, before, after }) => `${uploadId! - first}:${line} ${before} → ${after}`);
  };

  test('several files of a run: each membership is recorded once, with the first file that has it, and an undo ends it', async (t) => {
    const acme = await Company.open(open, t);
    await acme.import({
      'a.csv': csv('User Email,Teams', 'ann@acme.test,"Sales,Ops"', 'bob@acme.test,Law'),
      'b.csv': csv('User Email,Teams', 'bob@acme.test,"law,Ops"', 'cyd@acme.test,SALES'),
    });
    assert.deepEqual((await memberships(acme, 'ann@acme.test')).sort(), ['0:2 null → Ops', '0:2 null → Sales']);
    assert.deepEqual(await memberships(acme, 'bob@acme.test'), ['0:3 null → Law', '1:2 null → Ops']);
    assert.deepEqual(await memberships(acme, 'cyd@acme.test'), ['0:3 null → Sales']);
    const run = await acme.deps.directory.read('applied_runs').max({ id: 'run_id' }).first();
    const undo = await openUndoRun(acme.deps.control.write, acme.org.id, run!.id, acme.clock);
    assert.equal(await workNext(acme.deps, undo), 'ended');
    const users = await acme.users();
    for (const email of ['ann@acme.test', 'bob@acme.test', 'cyd@acme.test'])
      assert.deepEqual([users[email]!.teams, users[email]!.status], [[], 'deactivated']);
  });

  test('a later file of the run ends one: the record has its beginning and its end, and an undo leaves it ended', async (t) => {
    const acme = await Company.open(open, t, { teamsMode: 'replace' });
    await acme.import({
      'a.csv': csv('User Email,Teams', 'ann@acme.test,"Sales,Ops"'),
      'b.csv': csv('User Email,Teams', 'ann@acme.test,"Ops,Law"'),
    });
    assert.deepEqual((await acme.users())['ann@acme.test']!.teams, ['Law', 'Ops']);
    const recorded = await memberships(acme, 'ann@acme.test');
    assert.deepEqual([...recorded].sort(), [
      '0:2 null → Ops',
      '0:2 null → Sales',
      '1:2 Sales → null',
      '1:2 null → Law',
    ]);
    assert.ok(recorded.indexOf('0:2 null → Sales') < recorded.indexOf('1:2 Sales → null'));
    const run = await acme.deps.directory.read('applied_runs').max({ id: 'run_id' }).first();
    const undo = await openUndoRun(acme.deps.control.write, acme.org.id, run!.id, acme.clock);
    assert.equal(await workNext(acme.deps, undo), 'ended');
    assert.deepEqual((await acme.users())['ann@acme.test']!.teams, []);
  });

  test('a check lists them, under the names that the teams have', async (t) => {
    const acme = await Company.open(open, t);
    await acme.import({ 'users.csv': csv('User Email,Teams', 'ann@acme.test,Sales') });
    const row = 'bob@acme.test,"sales,Ops"';
    await acme.drop('/dry-run/more.csv', csv('User Email,Teams', row, 'ann@acme.test,Ops'));
    acme.clock += 3_000;
    assert.equal(await checkNext({ ...acme.deps, mustYield: () => false }), 'checked');
    const list = await acme.read('/reports/2026-03-10/more.dry-run.changes.csv');
    const lines = list.split('\r\n').filter((line) => line.includes(',Teams,'));
    assert.deepEqual(lines.sort(), [
      'ann@acme.test,Teams,,Ops,user,/dry-run/more.csv,3',
      'bob@acme.test,Teams,,Ops,user,/dry-run/more.csv,2',
      'bob@acme.test,Teams,,Sales,user,/dry-run/more.csv,2',
    ]);
  });

  test('a large first import has the records and events of a small one', async (t) => {
    const acme = await Company.open(open, t);
    const count = 10_050;
    const rows = Array.from({ length: count }, (_, n) => {
      const manager = n === 0 ? '' : `u${Math.floor((n - 1) / 10)}@acme.test`;
      const date = n === 7 ? '2026-12-31' : n === 8 ? '2020-01-31' : '';
      return `u${n}@acme.test,${manager},Team ${n % 3},${date},Berlin`;
    });
    const header = 'User Email,Manager Email,Teams,Deactivation Date,Office';
    await acme.import({ 'users.csv': csv(header, ...rows) });
    const { read } = acme.deps.directory;
    const recorded: { entity: string; field: string; n: number }[] = await read('changes')
      .whereNotNull('run_id')
      .groupBy('entity', 'field')
      .orderBy(['entity', 'field'])
      .select('entity', 'field')
      .count({ n: '*' });
    assert.deepEqual(
      recorded.map(({ entity, field, n }) => `${entity} ${field} ${n}`),
      ['field  1', 'team  3', `user  ${count}`, `user Teams ${count}`],
    );
    const events = (await readDirectoryEvents(read, { after: 0, to: 1e9, limit: 1e6 })).filter(
      ({ run }) => run !== null,
    );
    const counts: Record<string, number> = {};
    for (const { type } of events) counts[type] = (counts[type] ?? 0) + 1;
    assert.deepEqual(counts, {
      'user.created': count,
      'user.deactivated': 1,
      'user.deactivation_scheduled': 1,
      'field.created': 1,
      'team.created': 3,
    });
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
    const users = await acme.users();
    assert.equal(events.find(({ type }) => type === 'user.deactivated')!.entityId, String(users['u8@acme.test']!.id));
    assert.equal(users['u9999@acme.test']!.manager, 'u999@acme.test');
    assert.deepEqual(users['u10000@acme.test']!.teams, ['Team 1']);
    const managed = Object.values(users).filter(({ manager }) => manager !== null);
    assert.equal(managed.length, count - 1);
  });
});
