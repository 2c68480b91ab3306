/** Reading the directory, and giving it its owner, on both databases. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { bumpVersion, deleteDirectory, listDirectories, readVersion } from '../../db/directory/directory.js';
import { listFields } from '../../db/directory/fields.js';
import { listHistory } from '../../db/directory/history.js';
import { keepHighest, readDirectoryMarks } from '../../db/directory/pair.js';
import { countTeams, listTeams } from '../../db/directory/teams.js';
import { countReports, countUsers, findUser, insertOwner, listUsers } from '../../db/directory/users.js';
import { onEveryDatabase } from '../support/databases.js';
import { holdOpen, untilBlocked } from '../support/interleave.js';

const at = Date.UTC(2026, 0, 1);

async function addUser(db: Db, org: string, email: string, values: Record<string, unknown> = {}): Promise<number> {
  const [row] = await db
    .write('users')
    .insert({
      org_id: org,
      email,
      email_key: email.toLowerCase(),
      account_type: 'Regular',
      is_admin: 0,
      status: 'active',
      created_at: at,
      updated_at: at,
      ...values,
    })
    .returning('id');
  return row.id;
}

async function addTeam(db: Db, org: string, name: string, values: Record<string, unknown> = {}): Promise<number> {
  const row = { org_id: org, name, name_key: name.toLowerCase(), created_at: at, updated_at: at, ...values };
  const [inserted] = await db.write('teams').insert(row).returning('id');
  return inserted.id;
}

const owner = { org: 'acme', email: 'Jane@acme.test', emailKey: 'jane@acme.test', at };

onEveryDatabase('directory', (open) => {
  test('the owner is an active admin, once, and recorded', async (t) => {
    const { directory } = await open(t);
    assert.equal(await readVersion(directory.read, 'acme'), 0);
    assert.equal(await insertOwner(directory.write, owner), true);
    assert.equal(await insertOwner(directory.write, owner), false);
    const jane = (await findUser(directory.read, 'acme', 'jane@acme.test'))!;
    assert.equal(jane.email, 'Jane@acme.test');
    assert.deepEqual(
      [jane.isAdmin, jane.status, jane.accountType, jane.teams, jane.custom],
      [true, 'active', 'Regular', [], {}],
    );
    const history = await listHistory(directory.read, 'user', String(jane.id), 10);
    assert.deepEqual(
      history.map(({ field, runId, before }) => ({ field, runId, before })),
      [{ field: '', runId: null, before: null }],
    );
    assert.equal(JSON.parse(history[0]!.after!)['Is Org Admin'], 'Yes');
    assert.equal(await readVersion(directory.read, 'acme'), 1);
    assert.deepEqual(await listDirectories(directory.read), ['acme']);
  });

  test('a user who becomes the owner is made an active admin, and each change is recorded', async (t) => {
    const { directory } = await open(t);
    const id = await addUser(directory, 'acme', 'jane@acme.test', { status: 'deactivated', deactivated_at: at });
    assert.equal(await insertOwner(directory.write, owner), true);
    const jane = (await findUser(directory.read, 'acme', 'jane@acme.test'))!;
    assert.deepEqual([jane.id, jane.isAdmin, jane.status, jane.deactivatedAt], [id, true, 'active', null]);
    const fields = (await listHistory(directory.read, 'user', String(id), 10)).map((change) => change.field);
    assert.deepEqual(fields, ['Status', 'Is Org Admin']);
  });

  test('users come in pages, with manager, teams and custom values', async (t) => {
    const { directory } = await open(t);
    const boss = await addUser(directory, 'acme', 'Boss@acme.test', { is_admin: 1 });
    const emails = ['a@acme.test', 'c@acme.test', 'd@acme.test', 'e@acme.test'];
    for (const email of emails) await addUser(directory, 'acme', email, { manager_id: boss, custom: '{"f1":"007"}' });
    await addUser(directory, 'acme', 'z@acme.test', { status: 'deactivated' });
    await addUser(directory, 'other', 'a@acme.test');
    const sales = await addTeam(directory, 'acme', 'Sales');
    const board = await addTeam(directory, 'acme', 'Board', { owner_id: boss });
    const someone = (await findUser(directory.read, 'acme', 'c@acme.test'))!;
    for (const team of [sales, board])
      await directory.write('memberships').insert({ user_id: someone.id, team_id: team });

    const seen = [];
    for (let after: string | null = null; ; ) {
      const page: Awaited<ReturnType<typeof listUsers>> = await listUsers(directory.read, 'acme', { after, limit: 2 });
      seen.push(...page);
      if (page.length < 2) break;
      after = page.at(-1)!.emailKey;
    }
    assert.deepEqual(
      seen.map((user) => user.email),
      ['a@acme.test', 'Boss@acme.test', 'c@acme.test', 'd@acme.test', 'e@acme.test', 'z@acme.test'],
    );
    const member = seen[2]!;
    assert.deepEqual(
      [member.managerEmail, member.teams, member.custom],
      ['Boss@acme.test', ['Board', 'Sales'], { f1: '007' }],
    );
    const gone = await listUsers(directory.read, 'acme', { after: null, limit: 9, status: 'deactivated' });
    assert.deepEqual(
      gone.map((user) => user.email),
      ['z@acme.test'],
    );
    assert.deepEqual(await countUsers(directory.read, 'acme'), { active: 5, deactivated: 1, admins: 1 });
    assert.equal(await countReports(directory.read, boss), 4);
    assert.equal(await findUser(directory.read, 'acme', 'nobody@acme.test'), null);
  });

  test('teams come in pages, with owner, parent and members', async (t) => {
    const { directory } = await open(t);
    const jane = await addUser(directory, 'acme', 'Jane@acme.test');
    const sales = await addTeam(directory, 'acme', 'Sales', { owner_id: jane, type: 'department' });
    const emea = await addTeam(directory, 'acme', 'EMEA', { parent_id: sales });
    await addTeam(directory, 'other', 'Sales');
    await directory.write('memberships').insert({ user_id: jane, team_id: emea });
    const [first, ...rest] = await listTeams(directory.read, 'acme', null, 1);
    assert.deepEqual(rest, []);
    assert.deepEqual([first!.name, first!.parentName, first!.members, first!.ownerEmail], ['EMEA', 'Sales', 1, null]);
    const [second] = await listTeams(directory.read, 'acme', first!.nameKey, 10);
    assert.deepEqual([second!.ownerEmail, second!.type, second!.members], ['Jane@acme.test', 'department', 0]);
    assert.equal(await countTeams(directory.read, 'acme'), 2);
  });

  test('fields come in the order of their appearance', async (t) => {
    const { directory } = await open(t);
    const field = (id: string, label: string, position: number) => ({
      id,
      org_id: 'acme',
      label,
      label_key: label.toLowerCase(),
      type: 'text',
      position,
      created_at: at,
    });
    await directory.write('fields').insert([field('f2', 'Cost Center', 1), field('f1', 'Office', 0)]);
    assert.deepEqual(
      (await listFields(directory.read, 'acme')).map(({ id, label }) => [id, label]),
      [
        ['f1', 'Office'],
        ['f2', 'Cost Center'],
      ],
    );
    assert.deepEqual(await listFields(directory.read, 'other'), []);
  });

  test('removing a directory leaves nothing of it, and all of the others', async (t) => {
    const { directory } = await open(t);
    for (const org of ['acme', 'other']) {
      await insertOwner(directory.write, { ...owner, org });
      const user = await addUser(directory, org, 'm@acme.test');
      const team = await addTeam(directory, org, 'Sales');
      await directory.write('memberships').insert({ user_id: user, team_id: team });
      const run = org === 'acme' ? 1 : 2;
      await directory.write('applied_runs').insert({ run_id: run, org_id: org, at, outcome: '{}' });
      await directory.write('applied_uploads').insert({ upload_id: run, run_id: run });
    }
    assert.deepEqual(await deleteDirectory(directory.write, 'acme'), { users: 2, teams: 1 });
    assert.deepEqual(await listDirectories(directory.read), ['other']);
    assert.equal(await readVersion(directory.read, 'acme'), 0);
    for (const table of ['users', 'teams', 'changes', 'applied_runs'])
      assert.deepEqual(await directory.read(table).where({ org_id: 'acme' }), [], table);
    assert.deepEqual(await countUsers(directory.read, 'other'), { active: 2, deactivated: 0, admins: 1 });
    const left = await directory.read('memberships');
    assert.equal(left.length, 1);
    assert.equal((await directory.read('applied_uploads')).length, 1);
  });

  test('the highest run and upload are kept, also when two organizations are removed at the same time', async (t) => {
    const { directory } = await open(t);
    const apply = async (db: Db['write'], org: string, run: number) => {
      await db('applied_runs').insert({ run_id: run, org_id: org, at, outcome: '{}' });
      await db('applied_uploads').insert({ upload_id: 10 * run, run_id: run });
    };
    await apply(directory.write, 'acme', 1);
    const other = await holdOpen(directory, async (tx) => {
      await apply(tx, 'other', 2);
      await keepHighest(tx);
      await tx('applied_uploads').where({ run_id: 2 }).delete();
      await tx('applied_runs').where({ run_id: 2 }).delete();
    });
    const removing = deleteDirectory(directory.write, 'acme');
    await untilBlocked(directory);
    await other.commit();
    await removing;
    const { run, upload } = await readDirectoryMarks(directory.read);
    assert.deepEqual([run, upload], [2, 20]);
  });

  test('every write counts', async (t) => {
    const { directory } = await open(t);
    await bumpVersion(directory.write, 'acme');
    await bumpVersion(directory.write, 'acme');
    assert.equal(await readVersion(directory.read, 'acme'), 2);
  });
});
