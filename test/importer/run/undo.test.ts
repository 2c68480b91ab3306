/** Taking back what a run changed: what comes back, what is left alone and why, and undoing an undo. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { updateOrg } from '../../../db/control/orgs.js';
import { findRun, openUndoRun } from '../../../db/control/runs.js';
import { deactivateDue } from '../../../db/directory/deactivations.js';
import { readVersion } from '../../../db/directory/directory.js';
import { listFields, updateField } from '../../../db/directory/fields.js';
import { listFormerLabels, listHistory, listOrigins, recordChanges } from '../../../db/directory/history.js';
import { previewUndo } from '../../../importer/check/undopreview.js';
import { workNext } from '../../../importer/run/worker.js';
import type { RunSummary } from '../../../importer/types.js';
import { Company, csv } from '../../support/company.js';
import { onBothInLongTests, shareDatabases } from '../../support/databases.js';

const dayMs = 86_400_000;

onBothInLongTests('undo', (open) => {
  const databases = shareDatabases(open);
  let companies = 0;
  const found = (options = {}) =>
    Company.join(databases(), { id: `acme-${companies++}`, ownerEmail: 'owner@acme.test', options });
  const undo = async (acme: Company, run: number | null) => {
    const { control } = acme.deps;
    const id = await openUndoRun(control.write, acme.org.id, run!, acme.clock);
    assert.equal(await workNext(acme.deps, id), 'ended');
    return (await findRun(control.read, id))!;
  };
  const summaryOf = async (acme: Company, run: number | null) => (await undo(acme, run)).summary as RunSummary;
  /** All that files can say, without when it was said. */
  const look = async (acme: Company) => {
    const users = Object.entries(await acme.users()).map(([email, user]) => {
      const { updated_at, deactivated_at, ...rest } = user;
      return [email, { ...rest, custom: user.custom, manager: user.manager }];
    });
    return { users: Object.fromEntries(users), teams: await acme.teams() };
  };
  const foresee = (acme: Company, run: number) =>
    previewUndo(acme.deps, acme.org, run, async (summary, list) => {
      const [restored, left]: string[][] = [[], []];
      for await (const page of list('back'))
        for (const { what, name, column, before, after } of page)
          restored!.push(`${what} ${name} ${column}: ${after} → ${before}`);
      for await (const page of list('kept'))
        for (const { what, name, column, leftAlone } of page) left!.push(`${what} ${name} ${column}: ${leftAlone}`);
      const first: unknown[] = [];
      for await (const page of list('back', 1)) first.push(...page);
      assert.equal(first.length, 1);
      return { summary, restored: restored!.sort(), left: left!.sort() };
    });
  const kept = async (acme: Company, summary: RunSummary) =>
    summary.undo!.report === null
      ? []
      : parse(await acme.read(summary.undo!.report), { columns: true }).map((row: unknown) =>
          Object.values(row as object)
            .slice(0, 3)
            .join(' '),
        );

  const header =
    'User Email,User Name,First Name,Manager Email,Teams,User Account Type,Is Org Admin,Deactivation Date,Office,ID';
  const first = csv(
    header,
    'ann@x.test,Ann,A,,"Sales,Ops",Regular,Yes,,Rome,1',
    'bob@x.test,Bob,,ann@x.test,Ops,Observer,No,2026-06-30,,2',
    'cyd@x.test,Cyd,,ann@x.test,,Regular,No,,Oslo,3',
  );
  const second = csv(
    header,
    'bob@x.test,Anna,AA,cyd@x.test,Law,Observer,No,2026-05-31,Paris,1',
    'ann@x.test,Rob,B,boss@x.test,Sales,Regular,Yes,2026-03-10,Bern,2',
    'cyd@x.test,Cyd B.,,,Law,Regular,No,2026-03-01,,3',
  );

  test('a run is taken back as a whole, and so is that', async () => {
    const acme = await found({ identifier: 'ID', maxDeactivations: '100%' });
    await updateOrg(databases().control.write, acme.org.id, { teamsMode: 'replace' });
    await acme.import({
      'a.csv': first,
      't.csv': csv('Team Name,Owner Email,Parent Team', 'Ops,ann@x.test,', 'Sales,,Ops'),
    });
    const [before, run] = [
      await look(acme),
      await acme.import({ 't.csv': csv('Team Name,Owner Email,Team Type', 'Sales,cyd@x.test,Unit'), 'b.csv': second }),
    ];
    const changed = await look(acme);
    assert.equal(run.users.updated, 3);
    const undone = await summaryOf(acme, run.run);
    assert.deepEqual([undone.users.updated, undone.users.deactivated, undone.teams.updated], [4, 1, 1]);
    assert.deepEqual(await kept(acme, undone), ['team Law (created)']);
    const after = await look(acme);
    const { 'boss@x.test': boss, ...users } = after.users;
    const { Law, ...teams } = after.teams;
    assert.deepEqual({ users, teams }, before);
    assert.deepEqual([boss!.status, boss!.deactivated_by, Law!.type], ['deactivated', 'undo', null]);

    assert.equal((await undo(acme, undone.run)).state, 'done');
    assert.deepEqual(await look(acme), changed);
  });

  test('what was changed since stays, and is told of', async () => {
    const acme = await found();
    const header = 'User Email,User Name,Office,Manager Email,Teams';
    await acme.import({ 'a.csv': csv(header, 'ann@x.test,Ann,Rome,,', 'bob@x.test,Bob,Rome,,') });
    const { run } = await acme.import({
      'b.csv': csv(
        `${header},Zone`,
        'ann@x.test,Anna,Oslo,bob@x.test,Ops,East',
        'new@x.test,New,,,Ops,',
        'old@x.test,Old,,,,',
      ),
    });
    await acme.import({ 'c.csv': csv(header, 'ann@x.test,Annie,,,', 'new@x.test,,Bern,,') });
    const [there, version] = [await look(acme), await readVersion(databases().directory.read, acme.org.id)];
    const preview = await foresee(acme, run!);
    assert.deepEqual(await look(acme), there);
    assert.equal(await readVersion(databases().directory.read, acme.org.id), version);
    assert.deepEqual(preview.left, [
      'field Zone (created): an undo removes no user, team or field, and does not deactivate the owner',
      'team Ops (created): an undo removes no user, team or field, and does not deactivate the owner',
      'user ann@x.test User Name: it was changed after the run',
      'user new@x.test (created): it was changed after the run',
    ]);
    assert.deepEqual(preview.restored, [
      'user ann@x.test Manager Email: bob@x.test → null',
      'user ann@x.test Office: Oslo → Rome',
      'user ann@x.test Teams: Ops → null',
      'user ann@x.test Zone: East → null',
      'user new@x.test Teams: Ops → null',
      'user old@x.test Status: active → deactivated',
    ]);
    const undone = await summaryOf(acme, run);
    const { users: counts, teams, undo } = preview.summary;
    assert.deepEqual(
      [counts, teams, { ...undo, report: undone.undo!.report }],
      [undone.users, undone.teams, undone.undo],
    );
    assert.deepEqual((await kept(acme, undone)).sort(), [
      'field Zone (created)',
      'team Ops (created)',
      'user ann@x.test User Name',
      'user new@x.test (created)',
    ]);
    const users = await acme.users();
    const ann = users['ann@x.test']!;
    assert.deepEqual([ann.user_name, ann.manager, ann.custom, ann.teams], ['Annie', null, { Office: 'Rome' }, []]);
    assert.deepEqual([users['new@x.test']!.status, users['old@x.test']!.status], ['active', 'deactivated']);
    assert.match(
      await acme.read(`/reports/2026-03-10/run-${undone.run}.summary.txt`),
      /The changes of run \d+ were undone/,
    );
  });

  test('whom an undo took away is there again when a mended file names them', async () => {
    const acme = await found();
    const file = csv('User Email,User Name,Deactivation Date', 'ann@x.test,Ann,2026-06-30', 'bob@x.test,Bob,');
    const { run } = await acme.import({ 'a.csv': file });
    const there = await look(acme);
    await undo(acme, run);
    assert.equal((await acme.users())['ann@x.test']!.deactivate_at, null);
    const again = await acme.import({ 'a.csv': file });
    assert.deepEqual([again.users.updated, again.users.created], [2, 0]);
    assert.deepEqual(await look(acme), there);
    assert.equal((await acme.import({ 'a.csv': file })).users.unchanged, 2);
  });

  test('a deactivation that took place meanwhile is taken back too, and one that was due before is due again', async () => {
    const acme = await found();
    await acme.import({ 'a.csv': csv('User Email,Deactivation Date', 'ann@x.test,', 'bob@x.test,2026-04-01') });
    const { run } = await acme.import({
      'b.csv': csv('User Email,Deactivation Date', 'ann@x.test,2026-03-01', 'bob@x.test,2027-01-01'),
    });
    acme.clock += 2 * dayMs;
    await deactivateDue(databases().directory, acme.clock);
    assert.equal((await acme.users())['ann@x.test']!.status, 'deactivated');
    await undo(acme, run);
    const users = await acme.users();
    const { status, deactivation_date, deactivate_at, deactivated_by } = users['ann@x.test']!;
    assert.deepEqual([status, deactivation_date, deactivate_at, deactivated_by], ['active', null, null, null]);
    assert.equal(users['bob@x.test']!.deactivate_at, Date.UTC(2026, 2, 31, 22));
  });

  test('an edge that comes back closes no ring, an email that was taken stays', async () => {
    const acme = await found({ identifier: 'ID' });
    const header = 'User Email,Manager Email,ID';
    await acme.import({ 'a.csv': csv(header, 'ann@x.test,bob@x.test,1', 'bob@x.test,,2', 'cyd@x.test,,3') });
    const { run } = await acme.import({ 'b.csv': csv(header, 'ann.b@x.test,cyd@x.test,1') });
    await acme.import({ 'c.csv': csv(header, 'bob@x.test,ann.b@x.test,2', 'ann@x.test,,4') });
    const undone = await summaryOf(acme, run);
    assert.deepEqual(await kept(acme, undone), ['user ann.b@x.test User Email', 'user ann.b@x.test Manager Email']);
    assert.equal((await acme.users())['ann.b@x.test']!.manager, 'cyd@x.test');
  });

  test('a value comes back after its field was renamed, unless it was changed under the new label', async () => {
    const acme = await found();
    const { directory } = acme.deps;
    const desks = (...values: string[]) =>
      csv('User Email,Desk,Owner Email', ...values.map((value, n) => `u${n}@x.test,${value},o${value}`));
    await acme.import({ 'a.csv': desks('1', '2') });
    const { run } = await acme.import({ 'b.csv': desks('3', '4') });
    const field = (await listFields(directory.read, acme.org.id)).find(({ label }) => label === 'Desk')!;
    const label = { org: acme.org.id, entity: 'field' as const, entityId: field.id, field: 'Label', at: acme.clock };
    await updateField(directory.write, field.id, { label: 'Seat', labelKey: 'seat', aliases: ['desk'] });
    await recordChanges(directory.write, [{ ...label, before: 'Desk', after: 'Seat' }]);
    await acme.import({ 'c.csv': csv('User Email,Seat', 'u1@x.test,5') });
    await acme.import({ 'c.csv': csv('User Email,Seat', 'u1@x.test,4') });
    const summary = await summaryOf(acme, run);
    assert.deepEqual(await kept(acme, summary), ['user u1@x.test Desk']);
    const { 'u0@x.test': one, 'u1@x.test': other } = await acme.users();
    assert.deepEqual(one!.custom, { Seat: '1', 'Owner Email': 'o1' });
    assert.deepEqual(other!.custom, { Seat: '4', 'Owner Email': 'o2' });
    const told = await listHistory(directory.read, 'user', String(one!.id), 2);
    assert.deepEqual(told.map(({ after }) => after).sort(), ['1', 'o1']);
    const former = await listFormerLabels(directory.read, [field.id]);
    assert.deepEqual([...former], [['Desk', field.id]]);
  });

  test('an undo that would leave no admin is given up', async () => {
    const acme = await found();
    const { run } = await acme.import({
      'a.csv': csv('User Email,Is Org Admin', 'ann@x.test,Yes', 'owner@acme.test,No'),
    });
    await acme.import({ 'b.csv': csv('User Email,Is Org Admin', 'owner@acme.test,Yes', 'bob@x.test,Yes') });
    await acme.import({ 'c.csv': csv('User Email,Is Org Admin', 'owner@acme.test,No', 'bob@x.test,No') });
    await assert.rejects(foresee(acme, run!), { code: 'unsafe' });
    const ended = await undo(acme, run);
    assert.deepEqual([ended.state, ended.failure], ['failed', `undoing run ${run} would leave no active admin`]);
    assert.equal((await acme.users())['ann@x.test']!.status, 'active');
  });

  test('R3 the story of a user: each value, and the change that brought it', async () => {
    const acme = await found();
    await acme.import({ 'a.csv': csv('User Email,User Name,Teams', 'ann@x.test,Ann,Ops') });
    const { run, files } = await acme.import({ 'b.csv': csv('User Email,User Name,Teams', '', 'ann@x.test,Anna,Law') });
    const id = String((await acme.users())['ann@x.test']!.id);
    const origins = await listOrigins(databases().directory.read, 'user', id);
    assert.deepEqual(
      origins.map(({ field, after, runId, uploadId, line }) => [
        field,
        field === '' ? null : after,
        runId === run,
        uploadId === files[0]!.uploadId,
        line,
      ]),
      [
        ['', null, false, false, 2],
        ['Teams', 'Ops', false, false, 2],
        ['User Name', 'Anna', true, true, 3],
        ['Teams', 'Law', true, true, 3],
      ],
    );
    assert.equal((await listHistory(databases().directory.read, 'user', id, 10)).length, 4);
  });
});
