/** Opening both databases: the schema comes up, comes up once, and refuses a newer one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { openControl, openDirectory } from '../../db/connection.js';
import { deleteOrg, findOrg, insertOrg, listOrgs, updateOrg } from '../../db/control/orgs.js';
import { findUser } from '../../db/directory/users.js';
import { schemaLevel } from '../../db/migrations/level.js';
import { Company, csv } from '../support/company.js';
import { createDatabase, onEveryDatabase } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

/** Databases with nothing in them: those of `onEveryDatabase` may be copies. */
const empty: [string, (scope: Scope) => Promise<string>][] = [
  ['sqlite', async () => 'sqlite'],
  ['postgres', createDatabase],
];

for (const [dialect, create] of empty) {
  test(`both schemas come up from nothing, also for two at once (${dialect})`, async (t) => {
    const settings = settingsSchema.parse({ data: temporaryFolder(t), database: await create(t) });
    const opened = await Promise.all(
      [openControl, openControl, openDirectory, openDirectory].map((to) => to(settings)),
    );
    assert.deepEqual(await listOrgs(opened[0]!.read), []);
    assert.equal(await findUser(opened[3]!.read, 'acme', 'jane@example.com'), null);
    for (const db of opened) await db.close();
  });
}

test('many that open an empty SQLite folder at once leave one row in the table of locks', async (t) => {
  for (let round = 0; round < 10; round++) {
    const settings = settingsSchema.parse({ data: temporaryFolder(t) });
    const opened = await Promise.all(Array.from({ length: 4 }, () => openControl(settings)));
    const rows = await opened[0]!.read('knex_migrations_lock').select('is_locked');
    for (const db of opened) await db.close();
    assert.deepEqual(rows, [{ is_locked: 0 }]);
  }
});

onEveryDatabase('schema', (open) => {
  test('opening twice, also at once, finds the schema in place', async (t) => {
    const { settings } = await open(t);
    const [first, second] = await Promise.all([openControl(settings), openControl(settings)]);
    assert.deepEqual(await listOrgs(first.read), []);
    await Promise.all([first.close(), second.close()]);
  });

  for (const databasePool of [4, 1])
    test(`the lock of a process that was killed while it migrated is cleared at once (pool of ${databasePool})`, async (t) => {
      const { settings: given, control } = await open(t);
      const settings = { ...given, databasePool };
      const added = ['fault', 'faults', 'retry_at'];
      await control.write.schema.alterTable('runs', (table) => table.dropColumns(...added));
      await control.write('knex_migrations').where({ name: '033_faults' }).delete();
      await control.write('knex_migrations_lock').update({ is_locked: 1 });
      const begun = performance.now();
      const opened = await Promise.all([openControl(settings), openControl(settings)]);
      assert.ok(performance.now() - begun < 30_000, 'a lock that is held makes it wait for a minute');
      for (const name of added) assert.ok(await opened[0].read.schema.hasColumn('runs', name));
      assert.deepEqual(await opened[0].read('knex_migrations_lock').select('is_locked'), [{ is_locked: 0 }]);
      for (const db of opened) await db.close();
    });

  test('a database of a newer version is refused with what to do', async (t) => {
    const { settings, control } = await open(t);
    await control.write('knex_migrations').insert({ name: '999_future', batch: 9, migration_time: new Date() });
    await control.write('schema_level').update({ level: schemaLevel + 1 });
    await assert.rejects(openControl(settings), /written by a newer Dropslot/);
  });

  test('nodes of this version go on beside a newer one that has only added to the schema', async (t) => {
    const databases = await open(t);
    const { settings, control, directory } = databases;
    for (const [db, names] of [
      [control, ['orgs', 'runs', 'uploads', 'entries', 'blobs', 'import_turns']],
      [directory, ['users', 'teams', 'changes', 'org_versions']],
    ] as const) {
      for (const name of names)
        await db.write.schema.alterTable(name, (table) => {
          table.text('future').notNullable().defaultTo('later');
        });
      await db.write('knex_migrations').insert({ name: '999_future', batch: 9, migration_time: new Date() });
    }
    for (const again of [
      await openControl(settings),
      await openDirectory(settings, undefined, directory.source?.key ?? null),
    ])
      await again.close();
    const acme = await Company.join(databases);
    const { users } = await acme.import({ 'users.csv': csv('User Email,Teams', 'ann@acme.test,Red') });
    assert.equal(users.created, 1);
  });

  test('what a statement was given is not in the message of its failure', async (t) => {
    const { control } = await open(t);
    const failed = control.write('nowhere').insert({ email: 'jane@example.com' });
    await assert.rejects(failed, ({ message }: Error) => /nowhere/.test(message) && !/jane/.test(message));
  });

  test('an organization is kept as it was given', async (t) => {
    const { control } = await open(t);
    const org = sampleOrg('acme');
    await insertOrg(control.write, org);
    assert.deepEqual(await findOrg(control.read, 'acme'), org);
    await assert.rejects(insertOrg(control.write, org), /exists already/);
    await updateOrg(control.write, 'acme', { enabled: false, slot: '04:30' });
    assert.deepEqual(await findOrg(control.read, 'acme'), { ...org, enabled: false, slot: '04:30' });
    await deleteOrg(control.write, 'acme');
    assert.equal(await findOrg(control.read, 'acme'), null);
  });

  test('a transaction that reads before it writes waits for its turn', async (t) => {
    const { control, settings } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    const other = await openControl(settings);
    const bump = (db: typeof control) =>
      db.transact(async (tx) => {
        const [row] = await tx('orgs').where({ id: 'acme' }).forUpdate().select('created_at');
        await tx('orgs')
          .where({ id: 'acme' })
          .update({ created_at: row.created_at + 1 });
      });
    const before = (await findOrg(control.read, 'acme'))!.createdAt;
    await Promise.all(Array.from({ length: 20 }, (_, turn) => bump(turn % 2 === 0 ? control : other)));
    assert.equal((await findOrg(control.read, 'acme'))!.createdAt, before + 20);
    await other.close();
  });
});
