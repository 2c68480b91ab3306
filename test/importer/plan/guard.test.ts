/** The guard (G1): what is held and why, and what an operator's word does to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { lockEntry } from '../../../db/control/entries.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { claimRun, dropRun, findRun, openManualRun, type Run } from '../../../db/control/runs.js';
import { openSlotRun } from '../../../db/control/slots.js';
import { bumpVersion } from '../../../db/directory/directory.js';
import { judge } from '../../../importer/plan/guard.js';
import { approveRun } from '../../../importer/run/approval.js';
import { rejectRun } from '../../../importer/run/rejection.js';
import { workNext } from '../../../importer/run/worker.js';
import type { RunSummary } from '../../../importer/types.js';
import { replaceEntry } from '../../../intake/publish.js';
import { removeFile, renamePath } from '../../../intake/treechanges.js';
import { Company, csv } from '../../support/company.js';
import { onBothInLongTests, shareDatabases } from '../../support/databases.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const limits = {
  ...{ maxDeactivations: '10%', maxAdminChanges: 10, maxUpdatedShare: 0.5 },
  ...{ maxCreations: '50%', maxReactivations: '20%' },
};
const none = { deactivations: 0, adminChanges: 0, creations: 0, reactivations: 0, updates: {} };
const noWeight = { ...none, newAdmins: 0, owners: 0, protected: 0, active: 0, earlier: none };
const sender = { keyFingerprint: null, address: null, client: null };
const word = { by: 'operator:test', note: 'the Berlin office closes' };

/** Weights, and the codes that they are held for. */
const weights: { title: string; weight: Partial<Parameters<typeof judge>[0]>; limits?: object; codes: string[] }[] = [
  { title: 'a tenth', weight: { active: 100, deactivations: 10 }, codes: [] },
  { title: 'more than a tenth', weight: { active: 100, deactivations: 11 }, codes: ['too_many_deactivations'] },
  { title: 'all, but four', weight: { active: 4, deactivations: 4 }, codes: [] },
  { title: 'all five', weight: { active: 5, deactivations: 5 }, codes: ['too_many_deactivations'] },
  {
    title: 'a number of users',
    weight: { active: 1000, deactivations: 4 },
    limits: { maxDeactivations: '3' },
    codes: ['too_many_deactivations'],
  },
  {
    title: 'nobody may go',
    weight: { active: 9, deactivations: 1 },
    limits: { maxDeactivations: '0' },
    codes: ['too_many_deactivations'],
  },
  { title: 'ten admins', weight: { active: 100, adminChanges: 10 }, codes: [] },
  { title: 'eleven admins', weight: { active: 100, adminChanges: 11 }, codes: ['too_many_admin_changes'] },
  { title: 'half of the managers', weight: { active: 100, updates: { 'Manager Email': 50 } }, codes: [] },
  {
    title: 'more than half of the managers, and of the teams',
    weight: {
      active: 100,
      updates: { 'Manager Email': 51, Teams: 60 },
    },
    codes: ['too_many_updates', 'too_many_updates'],
  },
  {
    title: 'all managers of nineteen users',
    weight: { active: 19, updates: { 'Manager Email': 19 } },
    codes: [],
  },
  { title: 'the owner', weight: { active: 1000, deactivations: 1, owners: 1 }, codes: ['owner_deactivated'] },
  {
    title: 'a protected user',
    weight: { active: 1000, deactivations: 1, protected: 1 },
    codes: ['protected_deactivated'],
  },
  { title: 'a roll-out after a pilot', weight: { active: 499, creations: 40_000 }, codes: [] },
  { title: 'a yearly intake', weight: { active: 1000, creations: 500, reactivations: 200 }, codes: [] },
  { title: 'the company twice', weight: { active: 500, creations: 251 }, codes: ['too_many_creations'] },
  {
    title: 'more creations than a number',
    weight: { active: 9, creations: 3 },
    limits: { maxCreations: '2' },
    codes: ['too_many_creations'],
  },
  { title: 'nineteen re-activations', weight: { active: 19, reactivations: 19 }, codes: [] },
  { title: 'twenty re-activations', weight: { active: 99, reactivations: 20 }, codes: ['too_many_reactivations'] },
  { title: 'one new admin', weight: { active: 9, adminChanges: 1, newAdmins: 1 }, codes: [] },
  {
    title: 'one new admin, each of whom is confirmed',
    weight: { active: 9, adminChanges: 1, newAdmins: 1 },
    limits: { holdAdmins: 'always' },
    codes: ['new_admins'],
  },
  {
    title: 'one admin less, where new ones are confirmed',
    weight: { active: 9, adminChanges: 1 },
    limits: { holdAdmins: 'always' },
    codes: [],
  },
  {
    title: 'few of each after many in the last hours',
    weight: {
      ...{ active: 1000, deactivations: 1, adminChanges: 1, creations: 1, reactivations: 1, updates: { Teams: 1 } },
      earlier: { deactivations: 111, adminChanges: 10, creations: 500, reactivations: 200, updates: { Teams: 500 } },
    },
    codes: [
      ...['too_many_deactivations', 'too_many_admin_changes', 'too_many_creations', 'too_many_reactivations'],
      'too_many_updates',
    ],
  },
  {
    title: 'nothing after too many in the last hours',
    weight: {
      active: 1000,
      earlier: { deactivations: 999, adminChanges: 99, creations: 999, reactivations: 999, updates: { Teams: 999 } },
    },
    codes: [],
  },
  {
    title: 'the rest of all, where all may go',
    weight: { active: 40, deactivations: 40, earlier: { ...none, deactivations: 60 } },
    limits: { maxDeactivations: '100%' },
    codes: [],
  },
];

for (const { title, weight, codes, ...one } of weights) {
  test(`G1 ${title}`, () => {
    assert.deepEqual(
      judge({ ...noWeight, ...weight }, { ...limits, ...one.limits }).map(({ code }) => code),
      codes,
    );
  });
}

onBothInLongTests('guard', (open) => {
  const databases = shareDatabases(open);
  let companies = 0;

  const names = Array.from({ length: 20 }, (_, n) => `u${n}@acme.test`);
  const leavers = (count: number, date = '2026-03-10') =>
    csv('User Email,Deactivation Date', ...names.slice(0, count).map((name) => `${name},${date}`));
  /** An organization with twenty users beside its owner. */
  const found = async () => {
    const acme = await Company.join(databases(), { id: `acme-${companies++}`, ownerEmail: 'owner@acme.test' });
    await acme.import({ 'first.csv': csv('User Email,Is Org Admin', ...names.map((name) => `${name},No`)) });
    return acme;
  };
  const statuses = async (acme: Company) => {
    const users = await acme.users();
    return names.filter((name) => users[name]!.status === 'deactivated').length;
  };
  const runOf = async (acme: Company, id: number | null): Promise<Run> => (await findRun(acme.deps.control.read, id!))!;
  const approve = async (acme: Company, id: number | null) => {
    assert.ok(await approveRun(acme.deps, await runOf(acme, id), word));
    assert.equal(await workNext(acme.deps, id!), 'ended');
    return runOf(acme, id);
  };
  const uploads = async (acme: Company) =>
    (await acme.deps.control.read('uploads').where({ org_id: acme.org.id }).orderBy('id').select('path', 'state'))
      .slice(1)
      .map(({ path, state }) => `${path} ${state}`);

  test('G1 a held run applies nothing, says why at once, and is applied when it is approved', async () => {
    const acme = await found();
    const held = await acme.import({ 'users.csv': leavers(5) });
    assert.equal(held.state, 'held');
    assert.deepEqual(
      held.hold.map(({ code, count, of, limit }) => ({ code, count, of, limit })),
      [{ code: 'too_many_deactivations', count: 5, of: 21, limit: '10%' }],
    );
    assert.equal(await statuses(acme), 0);
    assert.deepEqual(await uploads(acme), ['/users.csv held']);
    const told = await acme.read(`/reports/2026-03-10/run-${held.run}.held.txt`);
    assert.match(told, /HELD: nothing is applied.*\n.*would deactivate 5 of 21 active users; more than 10%/);
    assert.match(
      told,
      new RegExp(`Its changes, one by one, are in /reports/2026-03-10/run-${held.run}\\.changes\\.csv`),
    );
    assert.match(
      await acme.read(held.changes!),
      /^who,column,before,after,kind,file,line\r\nu0@acme\.test,Status,active,deactivated,user,\/users\.csv,2\r\n/,
    );
    assert.equal('appliedAt' in held, false);
    assert.match(await acme.read(held.files[0]!.report!), /hold,too_many_deactivations,/);
    assert.equal(held.files[0]!.report, '/reports/2026-03-10/users.held.csv');
    assert.match(await acme.read('/users.csv'), /u0@acme.test/);

    const run = await approve(acme, held.run);
    const summary = run.summary as RunSummary;
    assert.deepEqual(
      [run.state, summary.state, summary.note, summary.users.deactivated],
      ['done', 'applied', word.note, 5],
    );
    assert.equal(await statuses(acme), 5);
    assert.deepEqual(await uploads(acme), ['/users.csv imported']);
    assert.equal(summary.files[0]!.report, null, 'a report without a line');
    const audit = (await listAudit(acme.deps.control.read, acme.org.id)).filter(
      ({ subject }) => subject === `run ${run.id}`,
    );
    assert.deepEqual(
      audit.map(({ action, actor }) => `${action} ${actor}`),
      ['run.held system', 'run.approved operator:test', 'run.done system'],
    );
  });

  /** Names below `/reports` and `/archive` of the runs after the first one. */
  const papers = async (acme: Company) => {
    const rows = await acme.deps.control
      .read('entries')
      .where({ org_id: acme.org.id, kind: 'file' })
      .whereLike('dir', '/%/2026-03-1%')
      .select('dir', 'name');
    const names = rows.map(({ dir, name }) => `${dir.split('/')[1]} ${name}`);
    return names.filter((name) => !/first|summary/.test(name)).sort();
  };

  test('G1 R1 the reports of a held run tell by their names that it is held no more', async () => {
    const acme = await found();
    const held = await acme.import({ 'users.csv': leavers(7) });
    const id = held.run!;
    assert.deepEqual(await papers(acme), [
      ...['run-N.changes.csv', 'run-N.held.json', 'run-N.held.txt', 'users.held.csv'].map(
        (name) => `reports ${name.replace('N', String(id))}`,
      ),
    ]);
    assert.match(
      await acme.read(`/reports/2026-03-10/run-${id}.held.txt`),
      new RegExp(`run-${id}\\.superseded\\.txt if\\s+corrected`),
    );
    await acme.deps.directory.transact(async (tx) => {
      await bumpVersion(tx, acme.org.id);
      await tx('users').where({ org_id: acme.org.id, email_key: names[0] }).update({ status: 'deactivated' });
    });
    const again = await approve(acme, id);
    const report = (again.summary as RunSummary).files[0]!.report!;
    assert.deepEqual([again.state, report], ['held', '/reports/2026-03-10/users.held-2.csv']);
    const now = await papers(acme);
    for (const name of ['users.was-held.csv', `run-${id}.was-held.changes.csv`, `run-${id}.changes-2.csv`])
      assert.ok(now.includes(`reports ${name}`), `${name} in ${now}`);
    await approve(acme, id);
    assert.ok(!(await papers(acme)).some((name) => /\.held|\d\.changes/.test(name)));
    assert.ok((await papers(acme)).includes('archive users.csv'));

    const over = await acme.import({ 'more.csv': leavers(20).replaceAll('03-10', '03-11') });
    await acme.deps.control.transact((tx) => removeFile(tx, acme.org, sender, '/more.csv', acme.clock));
    assert.ok((await papers(acme)).includes(`reports run-${over.run}.superseded.txt`));
    const told = (await runOf(acme, over.run)).summary as RunSummary;
    assert.equal(told.files[0]!.report, '/reports/2026-03-10/more.superseded.csv');
    assert.match(await acme.read(told.files[0]!.report!), /hold,too_many/);
  });

  test('G1 the first import of a directory is not held', async () => {
    const acme = await Company.join(databases(), { id: `acme-${companies++}`, ownerEmail: 'owner@acme.test' });
    const rows = names.map((name) => `${name},Yes,2026-03-01`);
    const summary = await acme.import({ 'users.csv': csv('User Email,Is Org Admin,Deactivation Date', ...rows) });
    assert.deepEqual([summary.state, summary.users.created], ['applied', 20]);
  });

  test('G1 an organization has its own limits; admins and managers are counted too', async () => {
    const acme = await Company.join(databases(), {
      id: `acme-${companies++}`,
      ownerEmail: 'owner@acme.test',
      options: { maxDeactivations: '100%', maxAdminChanges: 1, maxUpdatedShare: 0.1 },
    });
    const header = 'User Email,Manager Email,Is Org Admin';
    await acme.import({ 'a.csv': csv(header, ...names.map((name) => `${name},a@acme.test,No`)) });
    const all = names.map((name, n) => `${name},b@acme.test,${n < 2 ? 'Yes' : 'No'}`);
    const held = await acme.import({ 'b.csv': csv(header, ...all) });
    assert.deepEqual(
      held.hold.map(({ code, field, count }) => [code, field, count]),
      [
        ['too_many_admin_changes', 'Is Org Admin', 2],
        ['too_many_updates', 'Manager Email', 20],
      ],
    );
    assert.equal((await acme.users())[names[0]!]!.manager, 'a@acme.test');
  });

  test('G1 a held run holds up its own organization, and nobody else', async () => {
    const [acme, beta] = [await found(), await found()];
    const { run } = await acme.import({ 'users.csv': leavers(9) });
    const { control } = acme.deps;
    const slot = { date: '2026-03-11', time: '02:00', at: acme.clock };
    await acme.drop('/more.csv', leavers(1));
    assert.equal(await openSlotRun(control.write, acme.org.id, slot, acme.clock), null);
    const later = await openManualRun(control.write, acme.org.id, acme.clock);
    assert.equal(await claimRun(control.write, 'test', acme.clock, 30_000, later), null);
    assert.equal((await beta.import({ 'users.csv': leavers(1) })).state, 'applied');
    await approve(acme, run);
    const claimed = (await claimRun(control.write, 'test', acme.clock, 30_000, later))!;
    assert.equal(claimed.id, later);
    await dropRun(control.write, claimed);
    assert.notEqual(await openSlotRun(control.write, acme.org.id, slot, acme.clock), null);
  });

  test('G1 what is approved is what was counted: a plan that changed is held again, a day later it has not', async () => {
    const acme = await found();
    const held = await acme.import({ 'users.csv': leavers(6) });
    const { directory } = acme.deps;
    await directory.transact(async (tx) => {
      await bumpVersion(tx, acme.org.id);
      await tx('users').where({ org_id: acme.org.id, email_key: names[0] }).update({ status: 'deactivated' });
    });
    acme.clock += dayMs;
    const again = await approve(acme, held.run);
    assert.deepEqual([again.state, again.approval], ['held', null]);
    assert.equal((again.summary as RunSummary).hold[0]!.count, 5);
    assert.equal(await statuses(acme), 1);
    await directory.transact((tx) => bumpVersion(tx, acme.org.id));
    acme.clock += dayMs;
    const applied = await approve(acme, held.run);
    assert.deepEqual([applied.state, (applied.summary as RunSummary).date], ['done', '2026-03-10']);
    assert.equal(await statuses(acme), 6);
  });

  test('G1 new fields and yesterday’s leavers do not make a plan another one', async () => {
    const acme = await found();
    const header = 'User Email,Deactivation Date,Office,Floor,Start,Desk';
    const rows = [...names, 'new@acme.test'].map((name, n) => `${name},2026-03-09,Berlin ${n},${n},2020-01-31,x`);
    const held = await acme.import({ 'users.csv': csv(header, ...rows) });
    acme.clock += dayMs / 2;
    const run = await approve(acme, held.run);
    assert.equal(run.state, 'done');
    const users = await acme.users();
    assert.equal(users[names[0]!]!.deactivate_at, acme.clock + dayMs);
    assert.equal((users['new@acme.test']!.custom as Record<string, string>).Office, 'Berlin 20');
  });

  test('G1a a deactivated admin, the owner and protected users are held for', async () => {
    const acme = await Company.join(databases(), {
      id: `acme-${companies++}`,
      ownerEmail: 'owner@acme.test',
      options: { maxAdminChanges: 1, protected: ['U9@acme.test'] },
    });
    await acme.import({ 'a.csv': csv('User Email,Is Org Admin', ...names.map((name) => `${name},Yes`)) });
    const codesOf = async (...rows: string[]) => {
      const held = await acme.import({ 'b.csv': csv('User Email,Deactivation Date', ...rows) });
      if (held.state === 'held') await rejectRun(acme.deps, await runOf(acme, held.run), word);
      return held.hold.map(({ code, count }) => `${code} ${count}`);
    };
    const [one, other] = names.map((name) => `${name},2026-03-10`);
    assert.deepEqual(await codesOf(one!, other!), ['too_many_admin_changes 2']);
    assert.deepEqual(await codesOf('owner@acme.test,2026-03-20'), ['owner_deactivated 1']);
    assert.deepEqual(await codesOf('u9@acme.test,2026-03-20'), ['protected_deactivated 1']);
    assert.equal(await statuses(acme), 0);
    assert.deepEqual(await codesOf(one!), []);
  });

  test('G1a re-activations and new admins have limits, but not at the first import', async () => {
    const acme = await Company.join(databases(), {
      id: `acme-${companies++}`,
      ownerEmail: 'owner@acme.test',
      options: { maxReactivations: '1', maxCreations: '1', holdAdmins: 'always' },
    });
    const header = 'User Email,Is Org Admin,Deactivation Date';
    const first = names.map((name, n) => `${name},${n === 0 ? 'Yes' : 'No'},${n < 2 ? '2026-03-01' : ''}`);
    assert.equal((await acme.import({ 'a.csv': csv(header, ...first) })).state, 'applied');
    const back = names.slice(0, 2).map((name) => `${name},No,2026-04-01`);
    const held = await acme.import({ 'b.csv': csv(header, ...back, 'x@acme.test,Yes,', 'y@acme.test,No,') });
    assert.deepEqual(
      held.hold.map(({ code, count }) => `${code} ${count}`),
      ['new_admins 1', 'too_many_creations 2', 'too_many_reactivations 2'],
    );
  });

  test('G1a limits hold for the imports of 20 hours together, without those that an operator approved', async () => {
    const acme = await found();
    const leaver = (n: number) =>
      csv('User Email,Deactivation Date', ...names.slice(n, n + 2).map((u) => `${u},2026-03-10`));
    assert.equal((await acme.import({ 'a.csv': leaver(0) })).state, 'applied');
    acme.clock += 10 * hourMs;
    assert.equal((await acme.import({ 'b.csv': leaver(2) })).state, 'applied');
    acme.clock += 10 * hourMs - 1;
    const held = await acme.import({ 'c.csv': leaver(4) });
    assert.equal(held.state, 'held');
    assert.match(held.hold[0]!.message, /deactivate 2 of 17 active users, after 4 in the last 20 hours; more than 10%/);
    assert.equal((await approve(acme, held.run)).state, 'done');
    acme.clock += 1;
    assert.equal((await acme.import({ 'd.csv': leaver(6) })).state, 'applied');
  });

  const basis: { title: string; change: (acme: Company) => Promise<unknown> }[] = [
    {
      title: 'the limits',
      change: (acme) => updateOrg(acme.deps.control.write, acme.org.id, { options: { maxDeactivations: '5' } }),
    },
    {
      title: 'the owner',
      change: (acme) => updateOrg(acme.deps.control.write, acme.org.id, { ownerEmail: names[19]! }),
    },
    {
      title: 'the admins',
      change: (acme) =>
        acme.deps.directory.transact(async (tx) => {
          await bumpVersion(tx, acme.org.id);
          await tx('users').where({ org_id: acme.org.id, email_key: names[19] }).update({ is_admin: 1 });
        }),
    },
  ];
  for (const { title, change } of basis) {
    test(`G1a an approval is void when ${title} changed since`, async () => {
      const acme = await found();
      const held = await acme.import({ 'users.csv': leavers(6) });
      await change(acme);
      const again = await approve(acme, held.run);
      assert.deepEqual([again.state, again.approval, await statuses(acme)], ['held', null, 0]);
      assert.equal((await approve(acme, held.run)).state, 'done');
    });
  }

  test('G1 an approval expires', async () => {
    const acme = await found();
    const held = await acme.import({ 'users.csv': leavers(7) });
    assert.ok(await approveRun(acme.deps, await runOf(acme, held.run), word));
    assert.equal(await approveRun(acme.deps, await runOf(acme, held.run), word), false);
    acme.clock += 24 * 3_600_000 + 1;
    await workNext(acme.deps, held.run!);
    assert.equal((await runOf(acme, held.run)).state, 'held');
    assert.equal(await statuses(acme), 0);
  });

  test('G1 a rejected run is over, its files are archived, and the sender is told', async () => {
    const acme = await found();
    const held = await acme.import({ 'users.csv': leavers(5), 'teams.csv': csv('Team Name', 'Sales') });
    assert.ok(await rejectRun(acme.deps, await runOf(acme, held.run), word));
    assert.equal(await rejectRun(acme.deps, await runOf(acme, held.run), word), false);
    const run = await runOf(acme, held.run);
    const summary = run.summary as RunSummary;
    assert.deepEqual([run.state, summary.state, summary.note], ['rejected', 'rejected', word.note]);
    assert.deepEqual(await uploads(acme), ['/users.csv refused', '/teams.csv refused']);
    const archived = summary.files.find(({ name }) => name === 'users.csv')!.archivedAs!;
    assert.equal(archived, '/archive/2026-03-10/users.csv');
    assert.match(await acme.read(archived), /u0@acme.test/);
    const told = await acme.read(`/reports/2026-03-10/run-${run.id}.rejected.txt`);
    assert.match(told, /REJECTED by an operator.*\n.*would deactivate 5[\s\S]*the Berlin office closes/);
    const beside = await acme.read('/archive/2026-03-10/users.report.csv');
    assert.match(beside, /hold,too_many_deactivations,/);
    const report = summary.files.find(({ name }) => name === 'users.csv')!.report!;
    assert.deepEqual([report, await acme.read(report)], ['/reports/2026-03-10/users.report.csv', beside]);
    assert.ok(!(await papers(acme)).some((name) => name.includes('.held')));
    assert.equal((await acme.import({ 'users.csv': leavers(1) })).state, 'applied');
    assert.deepEqual(await acme.teams(), {});
  });

  test('G1 a rejection may name files: the others are queued again, and papers name paths that exist', async () => {
    const acme = await found();
    const held = await acme.import({ 'users.csv': leavers(5), 'teams.csv': csv('Team Name', 'Sales') });
    const run = await runOf(acme, held.run);
    const named = held.files.find(({ name }) => name === 'users.csv')!.uploadId!;
    assert.ok(await rejectRun(acme.deps, run, { ...word, uploads: [named] }));
    assert.deepEqual(await uploads(acme), ['/users.csv refused', '/teams.csv queued']);
    const summary = JSON.parse(await acme.read(`/reports/2026-03-10/run-${run.id}.rejected.json`)) as RunSummary;
    assert.deepEqual(summary.files.map(({ name, state, archivedAs }) => [name, state, archivedAs]).sort(), [
      ['teams.csv', 'queued', null],
      ['users.csv', 'refused', '/archive/2026-03-10/users.csv'],
    ]);
    for (const { report, archivedAs } of summary.files)
      for (const path of [report, archivedAs]) if (path !== null) assert.ok((await acme.read(path)).length > 0, path);
    const told = await acme.read(`/reports/2026-03-10/run-${run.id}.rejected.txt`);
    assert.match(told, /teams\.csv: .*\n {2}not rejected: it is queued again/);
    assert.equal((await acme.import()).state, 'applied');
    assert.deepEqual(Object.keys(await acme.teams()), ['Sales']);
  });

  const overtaken: { title: string; by: (acme: Company) => Promise<unknown>; left: string[] }[] = [
    {
      title: 'a newer file of the same name',
      by: async (acme) => {
        await acme.deps.control.transact(async (tx) => {
          const entry = (await lockEntry(tx, acme.org.id, '/users.csv'))!;
          await replaceEntry(tx, acme.org, sender, entry, acme.clock);
        });
        await acme.drop('/users.csv', leavers(1));
      },
      left: ['/users.csv superseded', '/teams.csv queued', '/users.csv queued'],
    },
    {
      title: 'its sender takes a file back',
      by: (acme) => acme.deps.control.transact((tx) => removeFile(tx, acme.org, sender, '/users.csv', acme.clock)),
      left: ['/users.csv withdrawn', '/teams.csv queued'],
    },
    {
      title: 'its sender renames a file to a temporary name',
      by: (acme) =>
        acme.deps.control.transact((tx) =>
          renamePath(tx, acme.org, sender, { from: '/users.csv', to: '/users.csv.part', overwrite: false }, acme.clock),
        ),
      left: ['/users.csv.part stored', '/teams.csv queued'],
    },
  ];
  for (const { title, by, left } of overtaken) {
    for (const isApproved of [false, true]) {
      test(`G1 F11 ${title}: the ${isApproved ? 'approved' : 'held'} run is over, the other file is queued again`, async () => {
        const acme = await found();
        const held = await acme.import({ 'users.csv': leavers(5), 'teams.csv': csv('Team Name', 'Sales') });
        if (isApproved) await approveRun(acme.deps, await runOf(acme, held.run), word);
        await by(acme);
        assert.equal((await runOf(acme, held.run)).state, 'superseded');
        assert.deepEqual(await uploads(acme), left);
        assert.equal(await approveRun(acme.deps, await runOf(acme, held.run), word), false);
        const next = await acme.import();
        assert.equal(next.state, 'applied');
        assert.deepEqual(Object.keys(await acme.teams()), ['Sales']);
        assert.equal(await statuses(acme), next.users.deactivated);
      });
    }
  }

  test('G1 F11 a newer file that comes while the run is planned is not held up by the older one', async () => {
    const acme = await found();
    const { control } = acme.deps;
    await acme.drop('/users.csv', leavers(5));
    await acme.drop('/teams.csv', csv('Team Name', 'Sales'));
    const run = await openManualRun(control.write, acme.org.id, acme.clock);
    const onStep = async (step: string) => {
      if (step !== 'planned') return;
      await control.transact(async (tx) => {
        const entry = (await lockEntry(tx, acme.org.id, '/users.csv'))!;
        await replaceEntry(tx, acme.org, sender, entry, acme.clock);
      });
      await acme.drop('/users.csv', leavers(1));
    };
    assert.equal(await workNext({ ...acme.deps, onStep }, run), 'ended');
    assert.equal((await runOf(acme, run)).state, 'superseded');
    assert.deepEqual(await uploads(acme), ['/users.csv superseded', '/teams.csv queued', '/users.csv queued']);
    const next = await acme.import();
    assert.deepEqual([next.state, next.files.length, await statuses(acme)], ['applied', 2, 1]);
  });

  test('G1 a held file that is renamed stays with its run', async () => {
    const acme = await found();
    const held = await acme.import({ 'users.csv': leavers(5) });
    const rename = { from: '/users.csv', to: '/leavers.csv', overwrite: false };
    await acme.deps.control.transact((tx) => renamePath(tx, acme.org, sender, rename, acme.clock));
    const run = await approve(acme, held.run);
    assert.equal((run.summary as RunSummary).files[0]!.archivedAs, '/archive/2026-03-10/leavers.csv');
  });
});
