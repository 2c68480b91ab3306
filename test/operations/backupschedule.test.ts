/** Scheduled backups: each in a folder of its own, which shares files with the one before; and when one is due. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { renderStatus } from '../../cli/views/status.js';
import {
  askForBackup,
  claimBackup,
  claimBackupNow,
  keepBackupClaim,
  noteBackupProgress,
  noteBackupRetry,
  noteScheduledBackup,
  overdueMs,
  readBackupJobRow,
  readBackupSchedule,
} from '../../db/control/backupschedule.js';
import { listQueue } from '../../db/control/uploads.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { describeAdvance } from '../../operations/advance.js';
import { claimLost, claimMs, keepClaim } from '../../operations/backup/claim.js';
import { makeScheduledBackup } from '../../operations/backup/schedule.js';
import { readStatus } from '../../operations/status.js';
import { noteMade, takeClaim } from '../support/backupclaim.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases, openFresh } from '../support/databases.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

const hourMs = 3_600_000;

/** One imported file; each backup is made an hour after the one before. */
async function openPlace(t: TestContext, backupKeep: number) {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const backupTo = join(temporaryFolder(t), 'backups');
  const settings = { ...acme.databases.settings, backupTo, backupKeep };
  const place = await workplaceOn(t, settings);
  await loadOrCreateHostKeys(place.paths.hostKeys);
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  let at = Date.UTC(2026, 0, 31, 2);
  const back = async (onProgress: (text: string) => unknown = () => {}, signal = new AbortController().signal) => {
    at += hourMs;
    const claim = (await claimBackupNow(place.control.write, at, 1))!;
    return makeScheduledBackup({ ...place, now: () => at }, claim, (news) => onProgress(describeAdvance(news)), {
      signal,
    });
  };
  return { acme, place, backupTo, back };
}

/** Paths below the folder, with the inode of each. */
function inodes(folder: string): Map<string, number> {
  const names = readdirSync(join(folder, 'blobs'), { recursive: true }) as string[];
  return new Map(names.map((name) => [name, statSync(join(folder, 'blobs', name)).ino]));
}

test('backups share sealed files, the oldest are removed, and no other folder is', async (t) => {
  const { acme, backupTo, back } = await openPlace(t, 2);
  const first = await back();
  assert.equal(first.folder, join(backupTo, '2026-01-31T03-00-00Z'));
  assert.equal(first.newFiles, first.files);
  await acme.drop('/more.csv', csv('User Email', 'bob@acme.test'));
  const second = await back();
  assert.deepEqual([second.newFiles, second.files], [1, first.files + 1]);
  const [before, after] = [inodes(first.folder), inodes(second.folder)];
  for (const [name, inode] of before) if (name.includes('/')) assert.equal(after.get(name), inode, name);
  // A folder of another installation, and one of a person.
  mkdirSync(join(backupTo, '2020-01-01T00-00-00Z'));
  writeFileSync(join(backupTo, '2020-01-01T00-00-00Z', 'backup.json'), '{"installation":"another"}');
  mkdirSync(join(backupTo, 'notes'));
  const third = await back();
  assert.deepEqual(third.removedBackups, [first.folder]);
  assert.deepEqual(readdirSync(backupTo).sort(), [
    '2020-01-01T00-00-00Z',
    '2026-01-31T04-00-00Z',
    '2026-01-31T05-00-00Z',
    'notes',
  ]);
});

test('continues with the files of a backup that was killed, and finishes a removal', async (t) => {
  const { backupTo, back } = await openPlace(t, 7);
  const { folder, files } = await back();
  const { installation } = JSON.parse(readFileSync(join(folder, 'backup.json'), 'utf8'));
  const tag = installation.slice(0, 8);
  // As a kill leaves one before it is complete, and a removal of one.
  writeFileSync(join(folder, 'INCOMPLETE'), '');
  renameSync(folder, join(backupTo, `in-progress-${tag}`));
  mkdirSync(join(backupTo, `removing-${tag}-2026-01-01T00-00-00Z`, 'blobs'), { recursive: true });
  const again = await back();
  assert.deepEqual([again.files, again.newFiles], [files, 0]);
  assert.deepEqual(readdirSync(backupTo), ['2026-01-31T04-00-00Z']);
});

test('while backups have damage, the newest one without is kept', async (t) => {
  const { place, back } = await openPlace(t, 1);
  const whole = await back();
  const [name] = [...inodes(whole.folder).keys()].filter((path) => path.includes('/'));
  rmSync(join(place.paths.blobs, name!));
  for (const _round of [1, 2]) assert.match((await back()).wrong.join(), /the sealed file is missing/);
  assert.ok(existsSync(whole.folder));
});

test('a damaged copy is no copy: each later backup reports the damage again, and the newest one without it is kept', async (t) => {
  const { acme, place, back } = await openPlace(t, 1);
  const whole = await back();
  await acme.drop('/late.csv', csv('User Email', 'late@acme.test'));
  const [late] = await listQueue(place.control.read, 'acme');
  await acme.damage(late!.blobId);
  for (const _round of [1, 2]) assert.match((await back()).wrong.join(), new RegExp(`${late!.blobId} of acme`));
  assert.ok(existsSync(whole.folder));
});

test('a folder that is gone is not made again: its volume is missing', async (t) => {
  const { place, backupTo, back } = await openPlace(t, 1);
  const { folder } = await back();
  await noteMade(place.control, 1, folder);
  renameSync(backupTo, `${backupTo}.away`);
  await assert.rejects(back(), /backups \(backupTo\) is gone: is its volume mounted\?/);
});

test('status and doctor show the schedule, its failure, and a backup that is overdue', async (t) => {
  const { place, back } = await openPlace(t, 1);
  const { folder } = await back();
  const { at } = JSON.parse(readFileSync(join(folder, 'backup.json'), 'utf8'));
  const madeAt = Date.parse(at);
  await noteMade(place.control, madeAt, folder);
  const statusAt = async (now: number) => renderStatus(await readStatus({ ...place, now: () => now }, '1'), 0, now);
  const soon = await statusAt(madeAt + 3 * hourMs);
  assert.match(soon, /Backup: +2026-01-31 03:00:00 UTC, 3 hours ago\n/);
  assert.match(soon, /Backup schedule: +to .*backups, 1 kept, the next one at 2026-02-01 03:00:00 UTC\n/);
  await noteBackupRetry(place.control.write, await takeClaim(place.control), {
    at: madeAt,
    retryAt: 0,
    failure: 'the disk is full',
  });
  const late = await statusAt(madeAt + 49 * hourMs);
  assert.match(late, /2 days ago: overdue\n/);
  assert.match(late, /the next one is due now\. The last attempt failed at .*: the disk is full/);
  const findings = await examine(place.settings, { now: () => madeAt + 49 * hourMs });
  const found = findings.filter(({ check }) => check === 'backups').map(({ level, message }) => `${level} ${message}`);
  assert.match(found[0]!, /^warning the last scheduled backup failed at .*: the disk is full$/);
  assert.match(found[1]!, /^warning the last backup was made at .*: a newer one is overdue/);
});

test('overdue: twice the time between backups, at least a day; without a schedule the days of the setting', () => {
  const after = (backupTo: string | undefined, backupEvery: number, backupOverdueDays: number) =>
    overdueMs({ backupTo, backupEvery, backupOverdueDays });
  assert.equal(after('/b', 24, 7), 48 * hourMs);
  assert.equal(after('/b', 1, 7), 24 * hourMs);
  assert.equal(after(undefined, 24, 7), 7 * 24 * hourMs);
  assert.equal(after('/b', 24, 0), null);
});

test('one whose claim another process takes leaves the folder to it, and ends nothing', async (t) => {
  const { place, backupTo, back } = await openPlace(t, 1);
  const { folder } = await back();
  const complete = () => readdirSync(backupTo).filter((name) => !name.startsWith('in-progress-'));
  const lost = { code: 'refused', message: /another process makes this backup now/ };
  const losing = back((text) => text === 'copying the databases' && takeClaim(place.control));
  await assert.rejects(losing, lost);
  await assert.rejects(
    back(() => {}, AbortSignal.abort(claimLost())),
    lost,
  );
  assert.deepEqual(
    complete().map((name) => join(backupTo, name)),
    [folder],
  );
});

test('a process learns that it has lost its claim', async (t) => {
  const { place } = await openPlace(t, 1);
  const claim = await takeClaim(place.control);
  let lose = () => {};
  const lost = new Promise<void>((resolve) => {
    lose = resolve;
  });
  t.after(keepClaim(place.control, claim, place.now, lose, 5));
  const isRenewed = async () => {
    const { claimed_until: endsAt } = await place.control.read('backup_schedule').first('claimed_until');
    return endsAt <= place.now() + claimMs;
  };
  await until(isRenewed, 'the renewal');
  await takeClaim(place.control);
  await lost;
});

onBothDatabases('the schedule of backups', (open) => {
  test('one process makes a due backup; a failure waits, a success begins the next period', async (t) => {
    const { control } = await open(t);
    const [start, everyMs, claimMs] = [1_800_000_000_000, 24 * hourMs, 60_000];
    let last = 0;
    const claim = async (at: number) => {
      const claimed = await claimBackup(control.write, at, everyMs, claimMs);
      last = claimed?.claim ?? last;
      return claimed !== null;
    };
    assert.equal(await claim(start), true);
    assert.equal(await claim(start + 1), false);
    assert.equal(await keepBackupClaim(control.write, last, start + 2 * claimMs), true);
    assert.equal(await claim(start + claimMs + 1), false);
    // Its process died.
    assert.equal(await claim(start + 2 * claimMs + 1), true);
    await noteBackupRetry(control.write, last, { at: start, retryAt: start + hourMs, failure: 'the disk is full' });
    assert.equal(await claim(start + hourMs - 1), false);
    assert.equal(await claim(start + hourMs), true);
    const begunAt = start + hourMs;
    await noteScheduledBackup(control.write, last, begunAt, '/b/1');
    assert.deepEqual(await readBackupSchedule(control.read), {
      begunAt,
      folder: '/b/1',
      failedAt: null,
      failure: null,
    });
    assert.equal(await claim(begunAt + everyMs - 1), false);
    assert.equal(await claim(begunAt + everyMs), true);
    // One that a person wants waits for no time, but for another process.
    const claimNow = async (at: number) => (await claimBackupNow(control.write, at, claimMs)) !== null;
    assert.equal(await claimNow(begunAt + everyMs + 1), false);
    const late = { at: start, retryAt: begunAt + 2 * everyMs, failure: 'the disk is full' };
    await noteBackupRetry(control.write, last, late);
    assert.equal(await claimNow(begunAt + everyMs + 1), true);
  });

  test('one that a person asks for is made at once, put off or ended with its reason; of two requests one counts', async (t) => {
    const { control } = await open(t);
    const { write, read } = control;
    const [start, everyMs, claimMs] = [1_800_000_000_000, 24 * hourMs, 60_000];
    let last = 0;
    const claim = async (at: number) => {
      const claimed = await claimBackup(write, at, everyMs, claimMs);
      last = claimed?.claim ?? last;
      return claimed && { by: claimed.by };
    };
    await noteMade(control, start, '/b/1');
    assert.equal((await readBackupJobRow(read)).state, 'none');
    assert.equal(await claim(start + 1), null);
    const asking = ['token:tok_1', 'token:tok_2'].map((by) => askForBackup(write, by, start + 2));
    assert.deepEqual((await Promise.all(asking)).sort(), [false, true]);
    const { state, askedBy } = await readBackupJobRow(read);
    assert.equal(state, 'waiting');
    assert.deepEqual(await claim(start + 3), { by: askedBy });
    await noteBackupProgress(write, last, '3 files');
    const running = await readBackupJobRow(read);
    assert.deepEqual([running.state, running.progress], ['running', '3 files']);
    assert.equal(await askForBackup(write, 'token:tok_3', start + 4), false);
    // A command changes keys.
    await noteBackupRetry(write, last, { at: start + 5, retryAt: start + 65_000, failure: null });
    assert.equal((await readBackupJobRow(read)).state, 'waiting');
    assert.equal(await claim(start + 64_999), null);
    assert.deepEqual(await claim(start + 65_000), { by: askedBy });
    // Its process died: the next one makes it.
    assert.deepEqual(await claim(start + 65_000 + claimMs), { by: askedBy });
    await noteScheduledBackup(write, last, start + 70_000, '/b/2', start + 71_000);
    const made = await readBackupJobRow(read);
    assert.deepEqual([made.state, made.folder, made.endedAt, made.progress], ['made', '/b/2', start + 71_000, null]);
    assert.equal(await claim(start + 72_000), null);
    assert.equal(await askForBackup(write, 'token:tok_3', start + 72_000), true);
    assert.deepEqual(await claim(start + 72_001), { by: 'token:tok_3' });
    await noteBackupRetry(write, last, { at: start + 73_000, retryAt: start + 80_000, failure: 'the disk is full' });
    const failed = await readBackupJobRow(read);
    assert.deepEqual([failed.state, failed.failure, failed.folder], ['failed', 'the disk is full', null]);
    assert.equal(await claim(start + 80_000), null);
  });

  test('a process that stood still, and lost its claim, ends nothing of the one that has it', async (t) => {
    const { control } = await open(t);
    const { write, read } = control;
    const [start, everyMs, claimMs] = [1_800_000_000_000, 24 * hourMs, 60_000];
    await askForBackup(write, 'token:tok_1', start);
    const still = (await claimBackup(write, start, everyMs, claimMs))!.claim;
    const other = (await claimBackup(write, start + claimMs, everyMs, claimMs))!.claim;
    assert.equal(await keepBackupClaim(write, still, start + 10 * claimMs), false);
    await noteBackupProgress(write, still, 'of the one that stood still');
    const retry = { at: start, retryAt: start, failure: 'another one was in the way' };
    assert.equal(await noteBackupRetry(write, still, retry), false);
    assert.equal(await noteScheduledBackup(write, still, start, '/b/still'), false);
    const { state, progress } = await readBackupJobRow(read);
    assert.deepEqual([state, progress], ['running', null]);
    assert.equal(await claimBackup(write, start + claimMs + 1, everyMs, claimMs), null, 'no third one begins');
    assert.equal(await claimBackup(write, start + 2 * claimMs, everyMs, claimMs).then((next) => next !== null), true);
    assert.equal(await keepBackupClaim(write, other, start + 10 * claimMs), false);
  });
});
