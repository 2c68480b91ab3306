/** Users and teams that only a cell names (rule U8a). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findRun } from '../../../db/control/runs.js';
import { approveRun } from '../../../importer/run/approval.js';
import { workNext } from '../../../importer/run/worker.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

const teamsFile = csv('Team Name,Owner Email,Parent Team', 'Sales,ann@acme.test,', 'EMEA,lost@acme.test,World');
const usersFile = csv(
  'User Email,User Name,Manager Email,Teams',
  'ann@acme.test,Ann,,Sales',
  'bob@acme.test,Bob,anm@acme.test,"Sales, Slaes"',
  'cyd@acme.test,Cyd,Boss@acme.test,EMEA',
);

onBothDatabases('users and teams that only a cell names', (open) => {
  test('U8a yes: each is a notice with line, column and value; one that a later file describes is none', async (t) => {
    const acme = await Company.open(open, t);
    const summary = await acme.import({ 'teams.csv': teamsFile, 'users.csv': usersFile });
    const report = async (file: number) =>
      (await acme.read(summary.files[file]!.report!)).trim().split('\r\n').slice(1);
    const cells = (lines: string[]) => lines.map((line) => line.replace(/^(.*?,.*?,.*?,.*?),.*,(.*?)$/, '$1|$2'));
    assert.deepEqual(cells(await report(0)), [
      '3,Owner Email,notice,user_made_up|lost@acme.test',
      '3,Parent Team,notice,team_made_up|World',
    ]);
    assert.deepEqual(cells(await report(1)), [
      '3,Manager Email,notice,user_made_up|anm@acme.test',
      '3,Teams,notice,team_made_up|Slaes',
      '4,Manager Email,notice,user_made_up|Boss@acme.test',
    ]);
    assert.equal(summary.users.warnings + summary.teams.warnings, 0);
    const again = await acme.import({ 'users.csv': usersFile });
    assert.deepEqual(await acme.codes(again), [], 'they are there now');
  });

  test('U8a no: the cells are ignored with warnings, and no one is made up', async (t) => {
    const acme = await Company.open(open, t, { options: { createMissing: 'no' } });
    const summary = await acme.import({ 'teams.csv': teamsFile, 'users.csv': usersFile });
    assert.deepEqual(await acme.codes(summary, 0), ['owner_unknown@3', 'parent_unknown@3']);
    assert.deepEqual(await acme.codes(summary, 1), ['manager_unknown@3', 'teams_unknown@3', 'manager_unknown@4']);
    const users = await acme.users();
    assert.deepEqual(Object.keys(users).sort(), ['ann@acme.test', 'bob@acme.test', 'cyd@acme.test', 'owner@acme.test']);
    assert.deepEqual(users['bob@acme.test']!.teams, []);
    assert.deepEqual(users['cyd@acme.test']!.teams, ['EMEA']);
    const teams = await acme.teams();
    assert.deepEqual(Object.keys(teams).sort(), ['EMEA', 'Sales']);
    assert.equal(teams.Sales!.owner, 'ann@acme.test', 'a later file of the run describes her');
    assert.deepEqual([summary.users.created, summary.users.stubs, summary.teams.stubs], [3, 0, 0]);

    // The rows with such cells are planned again each time: the manager is there now.
    const late = csv('User Email,User Name', 'boss@acme.test,Boss');
    await acme.import({ 'more.csv': late });
    const again = await acme.import({ 'users.csv': usersFile });
    assert.deepEqual(await acme.codes(again), ['manager_unknown@3', 'teams_unknown@3']);
    assert.equal((await acme.users())['cyd@acme.test']!.manager, 'boss@acme.test');
  });

  test('U8a hold: also a first import is held, and an approval creates them', async (t) => {
    const acme = await Company.open(open, t, { options: { createMissing: 'hold' } });
    const summary = await acme.import({ 'users.csv': usersFile });
    assert.equal(summary.state, 'held');
    assert.deepEqual(
      summary.hold.map(({ code, count }) => [code, count]),
      [['made_up', 5]],
    );
    assert.match(summary.hold[0]!.message, /create users \(2\) and teams \(3\) only because cells name them/);
    const run = (await findRun(acme.deps.control.read, summary.run!))!;
    await approveRun(acme.deps, run, { by: 'operator:test', note: null });
    await workNext(acme.deps, run.id);
    assert.ok('anm@acme.test' in (await acme.users()));
    const again = await acme.import({ 'users.csv': usersFile });
    assert.equal(again.state, 'applied');
  });
});
