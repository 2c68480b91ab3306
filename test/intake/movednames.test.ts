/** The names that an import has just taken: found by every session of the organization, until they are written anew. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { lockEntry } from '../../db/control/entries.js';
import { mostMovedNames, rememberMoved, rememberMs, trimMoved } from '../../db/control/movednames.js';
import { claimUploads, findUpload } from '../../db/control/uploads.js';
import { openScript } from '../../db/script.js';
import { onBothDatabases } from '../support/databases.js';
import { archiveQueue, keeping, openIntake, sender } from '../support/intake.js';

onBothDatabases('moved names', (open) => {
  test('the import took it: STAT, SETSTAT and OPEN find it, for a time', async (t) => {
    const { put, space, control, clock, get } = await openIntake(t, await open(t));
    await put('/users.csv', 'content');
    await archiveQueue(control, clock.now);
    assert.equal((await space.stat('/users.csv')).size, 7);
    await space.setAttributes('/users.csv', { mtimeMs: 4000, mode: 0o600 });
    const { mtimeMs, mode, writable } = await space.stat('/users.csv');
    assert.deepEqual({ mtimeMs, mode, writable }, { mtimeMs: 4000, mode: 0o600, writable: true });
    assert.equal(await get('/users.csv'), 'content');
    assert.deepEqual(
      (await space.list('/', null, 100)).map(({ name }) => name),
      ['archive', 'dry-run', 'exports', 'reports', 'templates'],
    );
    clock.now += rememberMs;
    await assert.rejects(space.stat('/users.csv'), { code: 'not_found' });
    await assert.rejects(space.setAttributes('/users.csv', { mode: 0o600 }), { code: 'not_found' });
    await assert.rejects(get('/users.csv'), { code: 'not_found' });
  });

  test('a file that was sent long before its import is not remembered', async (t) => {
    const { put, space, control, clock } = await openIntake(t, await open(t));
    await put('/users.csv', 'content');
    clock.now += rememberMs;
    await archiveQueue(control, clock.now);
    await assert.rejects(space.stat('/users.csv'), { code: 'not_found' });
  });

  test('REMOVE and RENAME answer OK, once, with a record; the archive keeps the bytes', async (t) => {
    const { put, space, control, clock, intake, service, org, get } = await openIntake(t, await open(t));
    const [removed, renamed] = [await put('/users.csv', 'users'), await put('/teams.csv', 'teams')];
    await archiveQueue(control, clock.now);
    const other = service.forSender(org, { ...sender, address: '192.0.2.7' });
    await other.remove('/users.csv');
    await assert.rejects(intake.remove('/users.csv'), { code: 'not_found' });
    await assert.rejects(space.stat('/users.csv'), { code: 'not_found' });
    await other.rename('/teams.csv', '/teams.csv.done', false);
    await assert.rejects(intake.rename('/teams.csv', '/else.csv', false), { code: 'not_found' });
    assert.equal((await space.stat('/teams.csv.done')).size, 5);
    assert.equal(await get('/archive/2026-01-31/users.csv'), 'users');
    assert.equal(await get('/archive/2026-01-31/teams.csv'), 'teams');
    const events = (await listAudit(control.read, 'acme')).map(({ action, subject, detail }) => ({
      action,
      subject,
      upload: (detail as { upload: number }).upload,
      imported: (detail as { imported?: boolean }).imported,
    }));
    assert.deepEqual(events.slice(-2), [
      { action: 'file.removed', subject: '/users.csv', upload: removed.uploadId, imported: true },
      { action: 'file.renamed', subject: '/teams.csv.done', upload: renamed.uploadId, imported: true },
    ]);
  });

  test('a rename over a file supersedes it, and needs leave', async (t) => {
    const { put, space, control, clock, intake, get } = await openIntake(t, await open(t));
    await put('/users.csv', 'users');
    await archiveQueue(control, clock.now);
    const old = await put('/old.csv', 'old');
    await assert.rejects(intake.rename('/users.csv', '/old.csv', false), { code: 'exists' });
    await assert.rejects(intake.rename('/users.csv', '/nowhere/old.csv', true), { code: 'not_found' });
    await intake.rename('/users.csv', '/old.csv', true);
    assert.equal((await findUpload(control.read, old.uploadId))?.state, 'superseded');
    assert.equal(await get('/old.csv'), 'users');
    assert.equal((await space.stat('/old.csv')).size, 5);
  });

  test('what a session removes, renames or writes anew is not remembered', async (t) => {
    const { put, space, control, clock, intake, get } = await openIntake(t, await open(t));
    await put('/removed.csv', 'one');
    await intake.remove('/removed.csv');
    await put('/renamed.csv', 'one');
    await intake.rename('/renamed.csv', '/else.tmp', false);
    await put('/running.csv', 'one');
    await put('/again.csv', 'one');
    await archiveQueue(control, clock.now);
    await put('/again.csv', 'two');
    await intake.rename('/again.csv', '/again.tmp', false);
    await put('/late.csv', 'one');
    await claimUploads(control.write, 'acme', 1);
    await intake.remove('/late.csv');
    await archiveQueue(control, clock.now);
    for (const path of ['/removed.csv', '/renamed.csv', '/again.csv', '/late.csv'])
      await assert.rejects(space.stat(path), { code: 'not_found' }, path);
    assert.equal(await get('/again.tmp'), 'two');
    await intake.rename('/again.tmp', '/running.csv', false);
    assert.equal(await get('/running.csv'), 'two');
  });

  test('a writer that saw it goes on from its bytes; one that creates begins anew', async (t) => {
    const { put, control, clock, intake, get } = await openIntake(t, await open(t));
    await put('/users.csv', 'one ');
    await archiveQueue(control, clock.now);
    const more = await intake.begin('/users.csv', { ...keeping, create: false, append: true });
    await more.write(0, Buffer.from('two'));
    await more.finish();
    assert.equal(await get('/users.csv'), 'one two');
    await archiveQueue(control, clock.now);
    const fresh = await intake.begin('/users.csv', keeping);
    await fresh.write(0, Buffer.from('x'));
    await fresh.finish();
    assert.equal(await get('/users.csv'), 'x');
  });

  test('a folder takes remembered names along', async (t) => {
    const { put, space, control, clock, intake } = await openIntake(t, await open(t));
    await space.mkdir('/in', {});
    await put('/in/users.csv', 'users');
    await archiveQueue(control, clock.now);
    await intake.rename('/in', '/out', false);
    await assert.rejects(space.stat('/in/users.csv'), { code: 'not_found' });
    assert.equal((await space.stat('/out/users.csv')).size, 5);
  });

  test('a folder in its place, and the removal of its folder, end it', async (t) => {
    const { put, intake, space, control, clock } = await openIntake(t, await open(t));
    await space.mkdir('/in', {});
    for (const path of ['/in/users.csv', '/teams.csv']) await put(path, 'content');
    await archiveQueue(control, clock.now);
    await space.mkdir('/teams.csv', {});
    await space.rmdir('/teams.csv');
    await assert.rejects(space.stat('/teams.csv'), { code: 'not_found' });
    await put('/owners.csv', 'content');
    await archiveQueue(control, clock.now);
    await space.mkdir('/renamed', {});
    await intake.rename('/renamed', '/owners.csv', false);
    await space.rmdir('/owners.csv');
    await assert.rejects(space.stat('/owners.csv'), { code: 'not_found' });
    assert.equal((await space.stat('/in/users.csv')).size, 7);
    await space.rmdir('/in');
    await assert.rejects(space.stat('/in/users.csv'), { code: 'not_found' });
    await space.mkdir('/in', {});
    await assert.rejects(space.stat('/in/users.csv'), { code: 'not_found' });
  });

  test('so many are remembered, and the oldest forgotten', async (t) => {
    const { put, control, clock, org } = await openIntake(t, await open(t));
    const { uploadId } = await put('/users.csv', 'content');
    await control.transact(async (tx) => {
      const [entry, upload] = [(await lockEntry(tx, org.id, '/users.csv'))!, (await findUpload(tx, uploadId))!];
      const script = openScript(tx, control.dialect);
      for (let number = 0; number < 3; number++)
        await rememberMoved(script, { ...entry, name: `first-${number}` }, upload, clock.now);
      await script.flush();
      const { id: _, ...row } = await tx('moved_names').first();
      const rows = Array.from({ length: mostMovedNames }, (_, number) => ({ ...row, name: `${number}.csv` }));
      await tx.batchInsert('moved_names', rows, 50);
      await rememberMoved(script, entry, upload, clock.now);
      await rememberMoved(script, entry, upload, clock.now);
      await trimMoved(script, org.id, clock.now);
      await script.flush();
      const names: { name: string }[] = await tx('moved_names').select('name').orderBy('id');
      assert.equal(names.length, mostMovedNames);
      assert.deepEqual([names[0]!.name, names.at(-1)!.name], ['1.csv', 'users.csv']);
    });
  });
});
