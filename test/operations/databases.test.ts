/** Databases that were restored from different backups: nothing is imported until they fit, or an operator accepts them. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { describe, type TestContext, test } from 'node:test';
import type { Knex } from 'knex';
import { watchLosses } from '../../app/losswatch.js';
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { findRun, openManualRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import { deleteDirectory } from '../../db/directory/directory.js';
import { findMismatch, joinPair } from '../../db/pair.js';
import { workNext } from '../../importer/run/worker.js';
import { createIntake } from '../../intake/intake.js';
import { proveAudit } from '../../operations/audit.js';
import { acceptDatabases, describeMisfits } from '../../operations/databases.js';
import { eraseUser } from '../../operations/people/erase.js';
import { requeueStoredFile } from '../../operations/retry.js';
import { importNow } from '../../operations/runs.js';
import type { Workplace } from '../../operations/workplace.js';
import { sweepOrphans } from '../../storage/orphans.js';
import { Company, csv } from '../support/company.js';
import { onBothInLongTests, openFresh, type TestDatabases } from '../support/databases.js';
import { replacing, sender } from '../support/intake.js';
import { type Saved, saveHalf } from '../support/restore.js';
import { until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

type Open = (scope: Scope) => Promise<TestDatabases>;

interface Backup {
  control: Saved;
  directory: Saved;
}

/** `old`: ann is imported, bob's file waits. `now`: it is imported, and cy's too. Everything is closed. */
async function twoBackups(open: Open, t: TestContext): Promise<{ databases: TestDatabases; old: Backup; now: Backup }> {
  const databases = await open(t);
  await joinPair(databases);
  const acme = await Company.join(databases);
  const save = async () => ({
    control: await saveHalf(t, databases, 'control'),
    directory: await saveHalf(t, databases, 'directory'),
  });
  await acme.import({ 'ann.csv': csv('User Email', 'ann@acme.test') });
  await acme.drop('/bob.csv', csv('User Email', 'bob@acme.test'));
  const old = await save();
  await acme.import();
  await acme.import({ 'cy.csv': csv('User Email', 'cy@acme.test') });
  const now = await save();
  await databases.directory.close();
  await databases.control.close();
  return { databases, old, now };
}

async function restore({ control }: Pick<Backup, 'control'>, { directory }: Pick<Backup, 'directory'>): Promise<void> {
  await control.restore();
  await directory.restore();
}

async function drop(place: Workplace, path: string, content: string): Promise<void> {
  const { control, paths, settings, now, identity } = place;
  const intake = createIntake({ control, paths, settings, logger: createSilentLogger(), now, identity });
  const upload = await intake.forSender(await place.org('acme'), sender).begin(path, replacing);
  await upload.write(0, Buffer.from(content));
  await upload.finish();
}

const importAcme = (place: Workplace) => importNow(place, 'acme', () => {}, new AbortController().signal);
const emails = async ({ directory }: Workplace) =>
  (await directory.read('users').orderBy('email').pluck('email')).map((email: string) => email.split('@')[0]);
const highest = async ({ directory }: Workplace, table: string, column: string): Promise<number> =>
  (await directory.read(table).max({ highest: column }).first())!.highest;
const misfitOf = async (place: Workplace) => (await findMismatch(place))?.misfit ?? null;

onBothInLongTests('restored databases', (open) => {
  test('a control database that is older: imports wait, uploads go on under new numbers, the matching backup ends it', async (t) => {
    const { databases, old, now } = await twoBackups(open, t);
    await restore(old, now);
    const place = await workplaceOn(t, databases.settings);
    assert.equal(await misfitOf(place), 'control_older');
    await assert.rejects(importAcme(place), {
      code: 'mismatch',
      message: /control database is older than the directory.*newer backup.*databases accept/,
    });
    await drop(place, '/dee.csv', csv('User Email', 'dee@acme.test'));
    const queue = await listQueue(place.control.read, 'acme');
    const most = await highest(place, 'applied_uploads', 'upload_id');
    assert.deepEqual(
      queue.map(({ path, id }) => [path, id > most]),
      [
        ['/bob.csv', false],
        ['/dee.csv', true],
      ],
    );
    const last = await highest(place, 'applied_runs', 'run_id');
    const run = await openManualRun(place.control.write, 'acme', place.now());
    assert.ok(run > last, 'no run gets the number of one that is lost');
    const deps = { ...place, logger: createSilentLogger(), owner: 'test', isStopping: () => false };
    assert.equal(await workNext(deps, run), 'left', 'an importer does not work on it');
    const waiting = (await findRun(place.control.read, run))!;
    assert.deepEqual([waiting.state, waiting.attempts], ['open', 0]);
    assert.match(waiting.fault!, /control database is older/);
    const findings = await examine(databases.settings);
    assert.ok(findings.some(({ level, message }) => level === 'wrong' && /control database is older/.test(message)));
    await place.close();

    await old.directory.restore();
    const again = await workplaceOn(t, databases.settings);
    assert.equal(await misfitOf(again), null);
    assert.equal((await importAcme(again)).state, 'done');
    assert.deepEqual(await emails(again), ['ann', 'bob', 'dee', 'owner']);
  });

  test('an older control database is accepted: no file is imported twice, and none is lost', async (t) => {
    const { databases, old, now } = await twoBackups(open, t);
    await restore(old, now);
    const place = await workplaceOn(t, databases.settings);
    await drop(place, '/dee.csv', csv('User Email', 'dee@acme.test'));
    // As if it had got the number of a lost upload before anything compared the databases.
    const most = await highest(place, 'applied_uploads', 'upload_id');
    await place.control.write('entries').where({ name: 'dee.csv' }).update({ upload_id: null });
    await place.control.write('uploads').where({ path: '/dee.csv' }).update({ id: most });
    await place.control.write('entries').where({ name: 'dee.csv' }).update({ upload_id: most });
    const { missing, ...counts } = await acceptDatabases(place);
    assert.deepEqual(counts, { misfit: 'control_older', imported: 1, renumbered: 1, lostUploads: counts.lostUploads });
    assert.deepEqual(missing, []);
    assert.equal(await misfitOf(place), null);
    const run = await importAcme(place);
    assert.equal(run.state, 'done');
    assert.deepEqual((run.summary as { files: unknown[] }).files.length, 1, 'bob.csv is in the archive already');
    assert.deepEqual(await emails(place), ['ann', 'bob', 'cy', 'dee', 'owner']);
    assert.deepEqual((await proveAudit(place, null)).flaws, []);
    await assert.rejects(acceptDatabases(place), { code: 'refused', message: /nothing to accept/ });
  });

  test('a directory that is older: imports wait; accepted, its missing files are named and imported again', async (t) => {
    const { databases, old, now } = await twoBackups(open, t);
    await restore(now, old);
    const place = await workplaceOn(t, databases.settings);
    assert.equal(await misfitOf(place), 'directory_older');
    await assert.rejects(importAcme(place), { message: /directory database is older than the control/ });
    const { missing, imported } = await acceptDatabases(place);
    assert.deepEqual([missing, imported], [['acme /bob.csv', 'acme /cy.csv'], 0]);
    const archived = await place.control.read('uploads').where({ path: '/bob.csv' }).first('archived_as');
    await requeueStoredFile(place, 'acme', archived.archived_as);
    assert.equal((await importAcme(place)).state, 'done');
    assert.deepEqual(await emails(place), ['ann', 'bob', 'owner']);
  });
});

describe('restored databases', () => {
  const open: Open = (scope) => openFresh(scope, 'sqlite');

  test('an organization that was removed leaves its numbers behind', async (t) => {
    const { databases, old, now } = await twoBackups(open, t);
    await restore(now, now);
    const place = await workplaceOn(t, databases.settings);
    await deleteDirectory(place.directory.write, 'acme');
    assert.equal(await misfitOf(place), null);
    await place.close();
    await old.control.restore();
    assert.equal(await misfitOf(await workplaceOn(t, databases.settings)), 'control_older');
  });

  test('a directory from before an erasure, which has the person again', async (t) => {
    const { databases, now } = await twoBackups(open, t);
    await restore(now, now);
    const place = await workplaceOn(t, databases.settings);
    await eraseUser(place, 'acme', 'ann@acme.test', { waitMs: 0, removesUnsearched: false });
    assert.equal(await misfitOf(place), null);
    await place.close();
    await now.directory.restore();
    assert.equal(await misfitOf(await workplaceOn(t, databases.settings)), 'directory_older');
  });

  test('both of one backup fit; databases of two installations never do', async (t) => {
    const { databases, old } = await twoBackups(open, t);
    await restore(old, old);
    const place = await workplaceOn(t, databases.settings);
    assert.equal(await misfitOf(place), null);
    assert.equal((await importAcme(place)).state, 'done');
    await place.directory.write('pair').update({ pair_id: 'of another installation' });
    assert.equal(await misfitOf(place), 'foreign');
    await assert.rejects(importAcme(place), { message: /belong to different installations: restore both/ });
    await assert.rejects(acceptDatabases(place), { code: 'mismatch' });
  });
});

test('a lost write-ahead log shows: doctor counts the uploads, keeps their files, and no number is given out again', async (t) => {
  const databases = await openFresh(t, 'sqlite');
  const paths = pathsOf(databases.settings);
  const acme = await Company.join(databases);
  await acme.drop('/ann.csv', csv('User Email', 'ann@acme.test'));
  await databases.control.write.raw('PRAGMA wal_checkpoint(TRUNCATE)');
  const kept = `${paths.control}.kept`;
  copyFileSync(paths.control, kept);
  await acme.drop('/bob.csv', csv('User Email', 'bob@acme.test'));
  await acme.drop('/cy.csv', csv('User Email', 'cy@acme.test'));
  assert.ok(existsSync(`${paths.control}-wal`));
  await databases.control.close();
  for (const side of ['-wal', '-shm']) rmSync(`${paths.control}${side}`, { force: true });
  copyFileSync(kept, paths.control);

  const place = await workplaceOn(t, databases.settings);
  const { lost } = place.control.mark!;
  assert.deepEqual([lost?.records, lost?.uploads], [2, 2]);
  const later = () => Date.now() + 2 * 3_600_000;
  const findings = await examine(databases.settings, { now: later });
  const wrong = findings.filter(({ level }) => level === 'wrong').map(({ message }) => message);
  assert.equal(
    wrong.filter((message) => /lost 2 records .* up to 2 uploads that were acknowledged/.test(message)).length,
    1,
  );
  const orphans = findings.filter(({ message }) => /newer than the control database/.test(message));
  assert.deepEqual([orphans.length, orphans.some(({ mend }) => mend !== undefined)], [2, false]);
  assert.equal(
    await sweepOrphans({ ...place, readKept: async () => new Set(), before: later() }),
    0,
    'nor does the server remove them',
  );
  await drop(place, '/dee.csv', csv('User Email', 'dee@acme.test'));
  assert.deepEqual(
    (await listQueue(place.control.read, 'acme')).map(({ id }) => id),
    [1, 4],
  );
  assert.equal(place.control.mark!.lost?.records, 2, 'later commits do not hide it');
  assert.equal((await acceptDatabases(place)).lostUploads, 2);
  assert.equal(place.control.mark!.lost, null);
  assert.doesNotMatch(readFileSync(paths.controlMark, 'utf8'), /ann|bob|acme/);
});

test('on PostgreSQL a loss names its own causes: there is no control.db', async (t) => {
  const { settings, control } = await openFresh(t, 'postgres');
  control.mark!.note({ seq: 1_000, hash: 'f'.repeat(64) }, []);
  control.mark!.close();
  const place = await workplaceOn(t, settings);
  const [sentence] = await describeMisfits(place);
  assert.match(
    sentence!,
    /has lost \d+ records of its audit trail.* a fail-over led to a standby .*"dropslot databases accept"$/,
  );
  assert.doesNotMatch(sentence!, /control\.db/);
});

test('a node that runs on after a fail-over notes the loss before it commits again, and gives no number twice', async (t) => {
  const databases = await openFresh(t, 'postgres');
  const { control, settings } = databases;
  const acme = await Company.join(databases);
  const head = () => control.read('audit_head').where({ id: 1 }).first('count', 'hash');
  const drop = (name: string) => acme.drop(`/${name}.csv`, csv('User Email', `${name}@acme.test`));
  await drop('ann');
  const old = await head();
  await drop('bob');
  await drop('cy');
  await stepBack(control.write, old);
  await drop('dee');
  await drop('eve');
  const { records, uploads, found } = control.mark!.lost!;
  assert.deepEqual([records, uploads, found], [2, 2, old.count]);
  const numbers = (await listQueue(control.read, 'acme')).map(({ id }) => id);
  assert.deepEqual(numbers, [1, 4, 5], 'the numbers of the lost uploads are not used again');
  assert.equal((await head()).count, old.count + 2);
  const place = await workplaceOn(t, settings);
  assert.match((await describeMisfits(place)).join(), /lost 2 records .* up to 2 uploads that were acknowledged/);
  assert.equal((await acceptDatabases(place)).lostUploads, 2);
  assert.deepEqual(await describeMisfits(place), []);
  await drop('flo');
  assert.equal(control.mark!.lost, null, 'the loss was accepted for all processes of the data folder');
});

test('a server says once that its database has lost commits while it ran, though it commits nothing', async (t) => {
  const databases = await openFresh(t, 'postgres');
  const acme = await Company.join(databases);
  await acme.drop('/ann.csv', csv('User Email', 'ann@acme.test'));
  const place = await workplaceOn(t, databases.settings);
  const old = await place.control.read('audit_head').where({ id: 1 }).first('count', 'hash');
  await acme.drop('/bob.csv', csv('User Email', 'bob@acme.test'));
  const lines: string[] = [];
  let rounds = 0;
  const mark = place.control.mark!;
  const examine = mark.examine.bind(mark);
  t.mock.method(mark, 'examine', (...given: Parameters<typeof examine>) => examine(...given).finally(() => rounds++));
  const error = (message: string, { reason }: { reason: string }) => lines.push(`${message}: ${reason}`);
  const watch = watchLosses(place, { ...createSilentLogger(), error } as never, 20);
  t.after(() => watch.stop());
  await until(() => rounds > 2, 'it has looked');
  assert.deepEqual(lines, []);
  await stepBack(databases.control.write, old);
  await until(() => lines.length > 0, 'it has said so');
  const before = rounds;
  await until(() => rounds > before + 2, 'it has looked again');
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /^the databases are not whole: the control database has lost 1 records /);
});

/** The database as it was when the trail ended with this record, as on a standby that had received no more; it may have skipped numbers. */
async function stepBack(db: Knex, head: { count: number; hash: string }): Promise<void> {
  await db.transaction(async (tx) => {
    const ids = await tx('audit').where('seq', '>', head.count).whereNotNull('upload_id').pluck('upload_id');
    await tx('audit').where('seq', '>', head.count).delete();
    await tx('audit_head').where({ id: 1 }).update(head);
    await tx('entries').whereIn('upload_id', ids).delete();
    await tx('uploads').whereIn('id', ids).delete();
    await tx.raw("SELECT setval('uploads_id_seq', (SELECT max(id) FROM uploads))");
  });
}
