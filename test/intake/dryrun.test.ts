/** `/dry-run`: always there, writable, and what lands in it is never queued, however it comes there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onBothDatabases } from '../support/databases.js';
import { openIntake } from '../support/intake.js';

onBothDatabases('the dry-run folder', (open) => {
  test('a file in it waits for its dry run; its path decides, also after a rename', async (t) => {
    const { put, intake, space, control, get } = await openIntake(t, await open(t));
    const stateOf = async (id: number) => (await control.read('uploads').where({ id }).first()).state;
    assert.deepEqual(await space.list('/dry-run', null, 10), []);

    const direct = await put('/dry-run/users.csv', 'one');
    assert.deepEqual([direct.queued, await stateOf(direct.uploadId)], [false, 'dry_run']);
    assert.equal(await get('/dry-run/users.csv'), 'one');
    const temporary = await put('/dry-run/teams.csv.part', 'two');
    assert.equal(await stateOf(temporary.uploadId), 'stored');
    await intake.rename('/dry-run/teams.csv.part', '/dry-run/teams.csv', false);
    assert.equal(await stateOf(temporary.uploadId), 'dry_run');

    // Rehearsed, and then meant.
    await control.write('uploads').where({ id: direct.uploadId }).update({ state: 'checked', checked_at: 1 });
    await intake.rename('/dry-run/users.csv', '/users.csv', false);
    const queued = await control.read('uploads').where({ id: direct.uploadId }).first();
    assert.deepEqual([queued.state, queued.path, queued.checked_at], ['queued', '/users.csv', null]);
    await intake.rename('/users.csv', '/dry-run/again.csv', false);
    assert.equal(await stateOf(direct.uploadId), 'dry_run');

    // A newer version takes the older one's place, and leaves nothing in the archive.
    const newer = await put('/dry-run/again.csv', 'three');
    assert.deepEqual([await stateOf(direct.uploadId), await stateOf(newer.uploadId)], ['withdrawn', 'dry_run']);
    assert.deepEqual(await space.list('/archive', null, 10), []);
    await intake.remove('/dry-run/again.csv');
    assert.equal(await stateOf(newer.uploadId), 'withdrawn');
  });

  test('the folder stays, has folders of its own, and takes none from outside', async (t) => {
    const { put, intake, space } = await openIntake(t, await open(t));
    await space.mkdir('/dry-run/hr', {});
    await put('/dry-run/hr/users.csv', 'x');
    await space.setAttributes('/dry-run', { mtimeMs: 5 });
    await assert.rejects(space.mkdir('/dry-run', {}), { code: 'exists' });
    await assert.rejects(space.rmdir('/dry-run'), { code: 'read_only' });
    await assert.rejects(intake.remove('/dry-run'), { code: 'is_a_folder' });
    await assert.rejects(intake.rename('/dry-run', '/x', false), { code: 'unsupported' });
    await space.mkdir('/in', {});
    await assert.rejects(intake.rename('/in', '/dry-run/in', false), { code: 'unsupported' });
    await assert.rejects(intake.rename('/dry-run/hr', '/hr', false), { code: 'unsupported' });
    await intake.remove('/dry-run/hr/users.csv');
    await space.rmdir('/dry-run/hr');
    assert.equal((await space.stat('/dry-run')).writable, true);
  });
});
