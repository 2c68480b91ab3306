/** How the directory opens: as its file and the setting say, with the key that only the master key opens, or withheld. */
import assert from 'node:assert/strict';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { openWorkplace } from '../../../app/compose.js';
import { pathsOf } from '../../../config/paths.js';
import { type Settings, settingsSchema } from '../../../config/settings.js';
import { readSealState } from '../../../db/sqlite/sealstate.js';
import { openStage } from '../../../db/stage.js';
import { rotateMaster } from '../../../operations/masterkey.js';
import { temporaryFolder } from '../../support/temporary.js';

type Given = Partial<Record<keyof Settings, unknown>>;

/** A data folder, and a function that opens it, has `use` look at it, and closes it. */
function openFolder(t: TestContext) {
  const data = temporaryFolder(t);
  const paths = pathsOf({ data });
  const at = async <T>(given: Given, use: (place: Awaited<ReturnType<typeof openWorkplace>>) => Promise<T> | T) => {
    const place = await openWorkplace(settingsSchema.parse({ data, ...given }), { create: true });
    try {
      return await use(place);
    } finally {
      await place.close();
    }
  };
  const count = (given: Given = {}) => at(given, async ({ directory }) => (await directory.read('users')).length);
  return { paths, at, count, state: () => readSealState(paths.directory) };
}

const on = { sealDirectory: 'on' };

test('a new directory is sealed when the setting is on, and then opens whatever the setting says', async (t) => {
  const { at, count, state, paths } = openFolder(t);
  const made = await at(on, (place) => place.makeMaster());
  assert.deepEqual([made.created, state(), await count(on), await count()], [true, 'sealed', 0, 0]);
  // One that was lost is not made anew in the clear.
  rmSync(paths.directory);
  assert.deepEqual([await count(), state()], [0, 'sealed']);
});

test('a directory that is not sealed does not open when the setting is on', async (t) => {
  const { count, state } = openFolder(t);
  assert.deepEqual([await count(), state()], [0, 'plain']);
  await assert.rejects(count(on), { code: 'unavailable', message: /run "dropslot directory seal"/ });
  assert.equal(await count({ sealDirectory: 'volume' }), 0);
});

test('without the master key the directory is withheld, and the control database works', async (t) => {
  const { at, count, paths } = openFolder(t);
  await count(on);
  const withheld = { code: 'withheld' };
  await assert.rejects(count({ role: 'intake' }), { ...withheld, message: /this node accepts uploads only/ });
  renameSync(paths.masterKey, `${paths.masterKey}.away`);
  await at({}, async ({ control, directory, settings }) => {
    assert.equal((await control.read('orgs')).length, 0);
    await assert.rejects(
      directory.transact(async () => {}),
      withheld,
    );
    await assert.rejects(directory.openMoment(), { ...withheld, message: /there is no master key at/ });
    await assert.rejects(openStage(settings, directory, 'run_1_1'), withheld);
  });
  assert.equal(existsSync(paths.masterKey), false);
});

test('a rotated master key opens the directory, and the old one does not', async (t) => {
  const { at, count, paths } = openFolder(t);
  await at(on, async (place) => {
    const { oldKeyFiles } = await rotateMaster(place);
    assert.equal((await place.control.read('audit').where({ action: 'directory.key_resealed' })).length, 1);
    renameSync(oldKeyFiles[0]!, `${paths.masterKey}.old`);
  });
  assert.equal(await count(on), 0);
  const old = { masterKey: `${paths.masterKey}.old` };
  await assert.rejects(count(old), { code: 'withheld', message: /does not open the key of directory\.db/ });
});

test('a directory of another installation is said to be one', async (t) => {
  const [one, other] = [openFolder(t), openFolder(t)];
  await one.count(on);
  await other.count(on);
  renameSync(one.paths.directory, other.paths.directory);
  for (const side of ['-wal', '-shm']) rmSync(`${other.paths.directory}${side}`, { force: true });
  await assert.rejects(other.count(on), { code: 'unavailable', message: /restore both from the same backup/ });
});
