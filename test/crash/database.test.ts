/** A control database that another process blocks, and one with a damaged page: told clearly, nothing half done. */
import assert from 'node:assert/strict';
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { pathsOf } from '../../config/paths.js';
import { type Db, openControl } from '../../db/connection.js';
import { listQueue } from '../../db/control/uploads.js';
import { describeDatabaseFailure } from '../../db/error.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { openIntake } from '../support/intake.js';
import { askDropslot, runDropslot } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine } from '../support/workplace.js';

const pageBytes = 4096;
const waitMs = 100;

/** Takes the one place of a writer, until what it returns is called. */
async function block(db: Db): Promise<() => Promise<void>> {
  const transaction = await db.write.transaction();
  return async () => void (await transaction.rollback());
}

test('a writer that waits longer than it may: the client is told, nothing is queued, the next upload goes well', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const control = await openControl(databases.settings, waitMs);
  t.after(() => control.close());
  const { put, space } = await openIntake(t, databases, { control });
  const release = await block(databases.control);
  await assert.rejects(put('/late.csv', 'User Email\n'), {
    name: 'SpaceError',
    code: 'failed',
    message: /SQLITE_BUSY/,
  });
  assert.deepEqual(await listQueue(control.read, 'acme'), []);
  await assert.rejects(space.stat('/late.csv'), { code: 'not_found' });
  await release();
  await put('/late.csv', 'User Email\n');
  assert.equal((await listQueue(control.read, 'acme')).length, 1);
});

test('a damaged page: the doctor names the database, and examines what still can be', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const { settings, control, directory } = acme.databases;
  for (let n = 0; n < 40; n++) await acme.drop(`/file-${n}.csv`, csv('User Email', `u${n}@acme.test`));
  const [{ rootpage }] = await control.read.raw("SELECT rootpage FROM sqlite_master WHERE name = 'uploads'");
  await control.close();
  await directory.close();
  damagePage(pathsOf(settings).control, rootpage);
  const wrong = (await examine(settings, { deep: true })).filter(({ level }) => level === 'wrong');
  assert.ok(
    wrong.some(
      ({ subject, message }) => subject === pathsOf(settings).control && /^damaged: .*restore it/.test(message),
    ),
  );
  const shallow = (await examine(settings)).filter(({ check, level }) => check === 'databases' && level === 'wrong');
  assert.deepEqual(
    shallow.map(({ message }) => message),
    [
      'damaged: the database failed: SQLITE_CORRUPT: database disk image is malformed; restore it from the backup',
      'the database failed: SQLITE_CORRUPT: database disk image is malformed',
    ],
  );
});

test('a file that is no database any more: every command ends with one line that names it', async (t) => {
  const data = temporaryFolder(t);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test'], { data });
  damagePage(pathsOf({ data, masterKey: undefined }).control, 1);
  for (const args of [
    ['serve', '--port', '0'],
    ['queue', 'acme'],
  ]) {
    const { code, stderr } = await runDropslot(args, { data });
    assert.equal(code, 5);
    assert.match(stderr.trim().split('\n').at(-1)!, /the SQLite files in .* can't be opened: .*(NOTADB|CORRUPT)/);
  }
  const { code, stdout } = await runDropslot(['doctor'], { data });
  assert.equal(code, 1);
  assert.match(stdout, /^WRONG .*can't be opened/m);
});

test('what a failing database says of itself quotes no statement', () => {
  const error = Object.assign(new Error('insert into `uploads` (`path`) values (secret) - SQLITE_FULL: disk is full'), {
    code: 'SQLITE_FULL',
  });
  assert.equal(describeDatabaseFailure(error), 'the database failed: SQLITE_FULL: disk is full');
});

function damagePage(file: string, page: number): void {
  assert.ok(statSync(file).size >= page * pageBytes);
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(pageBytes, 0xa5), 0, pageBytes, (page - 1) * pageBytes);
  closeSync(handle);
}
