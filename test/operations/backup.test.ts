/** Backups that are taken while others write, and what is restored from them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import { createSilentLogger } from '../../config/logger.js';
import type { Settings } from '../../config/settings.js';
import { openManualRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import { takeLock } from '../../db/lock.js';
import { workNext } from '../../importer/run/worker.js';
import type { RunSummary } from '../../importer/types.js';
import { createIntake } from '../../intake/intake.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { type BackupOptions, type BackupReport, backUp } from '../../operations/backup/backup.js';
import { importNow } from '../../operations/runs.js';
import type { Workplace } from '../../operations/workplace.js';
import { blobPath } from '../../storage/blobs.js';
import { Company, csv } from '../support/company.js';
import { openFresh, type TestDatabases } from '../support/databases.js';
import { sender } from '../support/intake.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

const openSqlite = (scope: Scope): Promise<TestDatabases> => openFresh(scope, 'sqlite');

/** A PostgreSQL of the test run (TEST_POSTGRES_URL). */
const openPostgres = (scope: Scope): Promise<TestDatabases> => openFresh(scope, 'postgres');

/** One file imported, one queued. */
async function openCompany(t: TestContext, open = openSqlite) {
  const acme = await Company.open(open, t);
  const place = await workplaceOn(t, acme.databases.settings);
  await loadOrCreateHostKeys(place.paths.hostKeys);
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  await acme.drop('/more.csv', csv('User Email', 'bob@acme.test'));
  const folder = join(temporaryFolder(t), 'backup');
  const back = (change: Partial<BackupOptions> = {}, at: Workplace = place): Promise<BackupReport> =>
    backUp(at, folder, { includeKeys: false, pgDump: 'pg_dump', onProgress: () => {}, ...change });
  return { acme, place, folder, back };
}

/** As the manual says: a copy of the backup is the new data folder, and the master key comes from elsewhere. */
async function restore(t: TestContext, folder: string, { paths, settings }: Workplace): Promise<Workplace> {
  const data = temporaryFolder(t);
  execFileSync('cp', ['-a', `${folder}/.`, data]);
  mkdirSync(join(data, 'keys'), { recursive: true, mode: 0o700 });
  const masterKey = join(data, 'keys', 'master.key');
  cpSync(paths.masterKey, masterKey);
  chmodSync(masterKey, 0o600);
  const restored: Settings = { ...settings, data };
  const place = await openWorkplace(restored);
  t.after(() => place.close());
  return place;
}

/** What the doctor says of it; the samples' clock stands still, so that their queue looks old. */
async function complaints(place: Workplace): Promise<string[]> {
  const findings = await examine(place.settings, { deep: true });
  return findings
    .filter(
      ({ level, message }) =>
        level !== 'ok' &&
        !/same volume|in it in the clear|belongs to root|files have waited|no key can log in/.test(message),
    )
    .map(({ message }) => message);
}

test('restored into a new folder: whole, and its queue is imported once', async (t) => {
  const { place, folder, back } = await openCompany(t);
  const report = await back();
  assert.deepEqual([report.newFiles, report.passes, report.masterKey, report.wrong], [report.files, 1, 'left out', []]);
  assert.ok(report.files >= 4); // two uploads, two summaries
  assert.deepEqual(readdirSync(folder).sort(), ['backup.json', 'blobs', 'control.db', 'directory.db', 'keys']);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  const restored = await restore(t, folder, place);
  assert.deepEqual(await complaints(restored), []);
  const hostKey = 'ssh_host_ed25519_key';
  assert.equal(
    readFileSync(join(restored.paths.hostKeys, hostKey), 'utf8'),
    readFileSync(join(place.paths.hostKeys, hostKey), 'utf8'),
  );
  const run = await importNow(restored, 'acme', () => {}, new AbortController().signal);
  assert.equal((run.summary as RunSummary).users.created, 1);
  assert.deepEqual(await listQueue(restored.control.read, 'acme'), []);
  const emails = await restored.directory.read('users').orderBy('email').pluck('email');
  assert.deepEqual(emails, ['ann@acme.test', 'bob@acme.test', 'owner@acme.test']);
  assert.deepEqual(await complaints(restored), []);
});

test('taken in the middle of an import, applied and not settled: the restored run is settled, and applied no second time', async (t) => {
  const { acme, place, folder, back } = await openCompany(t);
  await openManualRun(place.control.write, 'acme', acme.clock);
  const onStep = async (step: string) => {
    if (step === 'applied') await back();
  };
  assert.equal(await workNext({ ...acme.deps, onStep }), 'ended');
  const restored = await restore(t, folder, place);
  assert.match((await complaints(restored)).join(), /^run 2 was cut off at [^,]+$/);
  assert.equal(await restored.control.read('uploads').where({ state: 'running' }).first().then(Boolean), true);
  acme.clock += 60_000;
  const { paths, settings, control, directory } = restored;
  assert.equal(await workNext({ ...acme.deps, paths, settings, control, directory }), 'ended');
  assert.deepEqual(await control.read('uploads').distinct('state'), [{ state: 'imported' }]);
  assert.equal((await directory.read('changes').where({ field: '', entity: 'user' })).length, 3);
  assert.deepEqual(await complaints(restored), []);
});

test('again into the same folder: only what is new is copied, and what is gone is removed', async (t) => {
  const { acme, place, folder, back } = await openCompany(t);
  const first = await back();
  const [queued] = await listQueue(place.control.read, 'acme');
  await createIntake({ ...place, logger: createSilentLogger() })
    .forSender(acme.org, sender)
    .remove('/more.csv');
  await acme.drop('/late.csv', csv('User Email', 'late@acme.test'));
  const second = await back();
  assert.deepEqual([second.files, second.newFiles, second.removedFiles], [first.files, 1, 1]);
  assert.ok(!existsSync(blobPath({ blobs: join(folder, 'blobs') }, queued!.blobId)));
  assert.deepEqual(await complaints(await restore(t, folder, place)), []);
});

test('a file that is removed while files are copied: the next pass has newer databases', async (t) => {
  const { acme, place, folder, back } = await openCompany(t);
  for (let n = 0; n < 30; n++) await acme.drop(`/many-${n}.csv`, csv('User Email', `m${n}@acme.test`));
  const intake = createIntake({ ...place, logger: createSilentLogger() }).forSender(acme.org, sender);
  const last = (await listQueue(place.control.read, 'acme')).sort((one, other) =>
    one.blobId < other.blobId ? 1 : -1,
  )[0]!;
  let isRemoved = false;
  // The first file that is copied is opened: by then the databases are.
  const identity: Workplace['identity'] = async (org) => {
    if (!isRemoved) await intake.remove(last.path);
    isRemoved = true;
    return place.identity(org);
  };
  const report = await back({}, { ...place, identity });
  assert.deepEqual([report.passes, report.wrong], [2, []]);
  const restored = await restore(t, folder, place);
  assert.deepEqual(await complaints(restored), []);
  assert.ok((await listQueue(restored.control.read, 'acme')).every(({ path }) => path !== last.path));
});

test('a backup that is cut off says so, and leaves the one before it whole', async (t) => {
  const { acme, place, folder, back } = await openCompany(t);
  const cut: Partial<Workplace> = { identity: () => Promise.reject(new Error('cut off')) };
  await assert.rejects(back({}, { ...place, ...cut }), /cut off/);
  assert.ok(existsSync(join(folder, 'INCOMPLETE')));
  await back();
  assert.ok(!existsSync(join(folder, 'INCOMPLETE')));
  await acme.drop('/late.csv', csv('User Email', 'late@acme.test'));
  await assert.rejects(back({}, { ...place, ...cut }), /cut off/);
  assert.ok(!existsSync(join(folder, 'INCOMPLETE')));
  assert.deepEqual(await complaints(await restore(t, folder, place)), []);
});

test('the master key only when it is asked for; damage that was there before is told', async (t) => {
  const { acme, place, folder, back } = await openCompany(t);
  const kept = join(folder, 'keys', 'master.key');
  assert.equal((await back({ includeKeys: true })).masterKey, 'included');
  assert.equal(statSync(kept).mode & 0o777, 0o600);
  await back();
  assert.ok(!existsSync(kept));
  await acme.drop('/late.csv', csv('User Email', 'late@acme.test'));
  const [, late] = await listQueue(place.control.read, 'acme');
  await acme.damage(late!.blobId);
  const [queued] = await listQueue(place.control.read, 'acme');
  rmSync(blobPath(place.paths, queued!.blobId));
  const { wrong } = await back();
  assert.equal(wrong.length, 2);
  assert.match(wrong.join('\n'), new RegExp(`${late!.blobId} of acme: it can't be read`));
  assert.match(wrong.join('\n'), new RegExp(`${queued!.blobId} of acme: the sealed file is missing`));
});

test('refuses a folder of something else, its own data folder, and to run beside a change of keys', async (t) => {
  const { place, folder, back } = await openCompany(t);
  const options = { includeKeys: false, pgDump: 'pg_dump', onProgress: () => {} };
  await assert.rejects(
    backUp(place, join(place.paths.data, 'backup'), options),
    /contains the data folder .*, or is inside it/,
  );
  mkdirSync(folder);
  writeFileSync(join(folder, 'thesis.txt'), '');
  await assert.rejects(back(), /is not empty and is not a backup/);
  rmSync(join(folder, 'thesis.txt'));
  const lock = await takeLock(place.paths.keysLock, place.settings.sqliteDriver);
  await assert.rejects(back(), /another command changes keys/);
  await lock!.release();
});

test('on PostgreSQL: pg_dump of the moment that the files are of, its password in no argument', async (t) => {
  const { place, folder, back } = await openCompany(t, openPostgres);
  const pgDump = join(temporaryFolder(t), 'pg_dump');
  // Writes what it was called with, where it was told to.
  const script =
    '#!/bin/sh\nfor a in "$@"; do case $a in --file=*) f=$(echo "$a" | cut -c8-);; esac; done\necho "$@" > "$f"\n';
  writeFileSync(pgDump, script, { mode: 0o700 });
  const report = await back({ pgDump });
  assert.equal(report.newFiles, report.files);
  assert.deepEqual(readdirSync(folder).sort(), ['backup.json', 'blobs', 'database.dump', 'keys']);
  const called = readFileSync(join(folder, 'database.dump'), 'utf8');
  assert.match(called, /--snapshot=[\w-]+ /);
  assert.match(called, /--schema=dropslot_control --schema=dropslot_directory/);
  assert.ok(!called.includes(new URL(place.settings.database).password));
  await assert.rejects(back({ pgDump: `${pgDump}-of-another-version` }), /can't run .*pg_dump-of-another-version/);
});
