/** Nodes on PostgreSQL (the server of TEST_POSTGRES_URL) share one folder of sealed files: a node with another one is refused, and the first start makes the note. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readBlobFolder } from '../../db/control/blobplace.js';
import { adoptControl } from '../../db/control/pair.js';
import { claimBlobFolder, findFolderFault, folderNoteName, replaceBlobFolder } from '../../storage/folderclaim.js';
import { openFresh } from '../support/databases.js';
import { openIntake } from '../support/intake.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const pairId = 'this-one';

describe('the folder of sealed files (postgres)', () => {
  const prepare = async (t: Scope) => {
    const place = await openIntake(t, await openFresh(t, 'postgres'));
    const { control, paths } = place;
    await adoptControl(control.write, pairId);
    /** The start of a node whose folder this is. */
    const start = (blobs = paths.blobs) => claimBlobFolder({ blobs }, control, 0);
    const note = (blobs = paths.blobs) => join(blobs, folderNoteName);
    return { ...place, start, note, elsewhere: join(temporaryFolder(t), 'blobs') };
  };
  const refused = (message: RegExp) => ({ code: 'foreign', message });

  test('an empty new folder is noted, and one of another node is refused and left as it is', async (t) => {
    const { control, paths, start, note, elsewhere } = await prepare(t);
    assert.equal(await findFolderFault(paths, control), null);
    assert.ok(!existsSync(note()), 'a command that only looks makes no note');
    await start();
    await start();
    assert.equal(readFileSync(note(), 'utf8'), `${pairId} ${await readBlobFolder(control.read)}\n`);
    assert.equal(statSync(note()).mode & 0o777, 0o600);
    await assert.rejects(start(elsewhere), refused(/is not the folder in which this database has its sealed files/));
    assert.ok(!existsSync(elsewhere));
    // By the advice of the refusal.
    mkdirSync(elsewhere);
    const [, advised] = /write this line into \S+: (.+)$/.exec(
      (await findFolderFault({ blobs: elsewhere }, control))!,
    )!;
    writeFileSync(note(elsewhere), `${advised}\n`);
    await start(elsewhere);
  });

  test('two nodes that start at once with a folder each do not both start', async (t) => {
    const { start, elsewhere, paths } = await prepare(t);
    const both = await Promise.allSettled([start(), start(elsewhere)]);
    assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const [first, last] = both[0]!.status === 'fulfilled' ? [paths.blobs, elsewhere] : [elsewhere, paths.blobs];
    await start(first);
    await assert.rejects(start(last), { code: 'foreign' });
    await Promise.all([start(first), start(first)]);
  });

  test('the folder of an older version is noted if it has files of the database', async (t) => {
    const { put, start, note, elsewhere, control } = await prepare(t);
    await put('/a.csv', 'User Email\n');
    await assert.rejects(start(elsewhere), refused(/has none of the sealed files of this database/));
    assert.equal(await readBlobFolder(control.read), null);
    await Promise.all([start(), start()]);
    assert.ok(existsSync(note()));
  });

  test('a note that is older than the database, as after a restore of it, is taken up; not that of another installation', async (t) => {
    const { put, start, note, control, paths } = await prepare(t);
    await put('/a.csv', 'User Email\n');
    writeFileSync(note(), 'another-one f1\n');
    await assert.rejects(start(), refused(/of another installation \(another-one, and this database is this-one\)/));
    writeFileSync(note(), `${pairId} f1\n`);
    await start();
    assert.equal(await readBlobFolder(control.read), 'f1');
    unlinkSync(note());
    assert.match((await findFolderFault(paths, control))!, /there is no .*installation/);
  });

  test('after a move or a restore into a folder the one of before is refused, and a store needs none', async (t) => {
    const { start, control, paths, elsewhere } = await prepare(t);
    await start();
    cpSync(paths.blobs, elsewhere, { recursive: true });
    await start(elsewhere); // a copy of the folder is not noticed
    await control.transact((tx) => replaceBlobFolder(paths, tx, 1));
    await start();
    await assert.rejects(start(elsewhere), refused(/is of another one/));
    const store = {} as never;
    await control.transact((tx) => replaceBlobFolder({ ...paths, store }, tx, 1));
    assert.equal(await readBlobFolder(control.read), null);
    await claimBlobFolder({ ...paths, store }, control, 1);
  });
});

test('on SQLite, where one machine writes, there is no note', async (t) => {
  const { control, paths } = await openIntake(t, await openFresh(t, 'sqlite'));
  await adoptControl(control.write, pairId);
  await claimBlobFolder(paths, control, 0);
  assert.ok(!existsSync(join(paths.blobs, folderNoteName)));
  assert.equal(await readBlobFolder(control.read), null);
});
