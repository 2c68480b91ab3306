/** Slots and scheduled deactivations: opened once, caught up once, at their time, also after a restart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { overtakeHeld } from '../../../db/control/holds.js';
import { findOrg, updateOrg } from '../../../db/control/orgs.js';
import { giveUpRun } from '../../../db/control/requeue.js';
import { claimRun, listRuns, openManualRun, openUndoRun, type Run } from '../../../db/control/runs.js';
import { claimUploads, withdrawUpload } from '../../../db/control/uploads.js';
import { nextDeactivation } from '../../../db/directory/deactivations.js';
import { startImporter } from '../../../importer/importer.js';
import { workNext } from '../../../importer/run/worker.js';
import { nextSlot } from '../../../importer/schedule/calendar.js';
import { startDeactivations } from '../../../importer/schedule/deactivations.js';
import { openDueSlots, openUploadRuns } from '../../../importer/schedule/slots.js';
import { startScheduler } from '../../../importer/scheduler.js';
import { setOrganization } from '../../../operations/orgs.js';
import { Company, csv, importMoment } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import { beforeStatement } from '../../support/interleave.js';
import { until } from '../../support/session.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

const depsOf = ({ deps: { control, logger, now } }: Company) => ({ control, logger, now, onOpen: () => {} });

/** The runs take no file: the queue is never empty. */
async function endRuns({ deps }: Company): Promise<void> {
  await deps.control.write('runs').where({ state: 'open' }).update({ state: 'done' });
}

async function slotsOf({ deps, org }: Company): Promise<string[]> {
  const runs = await listRuns(deps.control.read, org.id);
  return runs.map(({ slotDate, slotTime }) => `${slotDate} ${slotTime}`).reverse();
}

async function claimNow({ deps: { control, now } }: Company): Promise<Run> {
  const run = (await claimRun(control.write, 'test', now(), 30_000))!;
  await claimUploads(control.write, run.org, run.id);
  return run;
}

onBothDatabases('slots', (open) => {
  test('a slot is opened once, however many nodes wake, and not before its time', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const opened = await Promise.all([1, 2, 3, 4].map(() => openDueSlots(depsOf(acme))));
    assert.equal(
      opened.reduce((sum, count) => sum + count),
      1,
    );
    assert.equal((await listRuns(control.read, 'acme'))[0]!.slotDate, '2026-03-10');
    await endRuns(acme);
    acme.clock += 13 * hourMs;
    assert.equal(await openDueSlots(depsOf(acme)), 0);
    acme.clock += 2 * hourMs;
    assert.equal(await openDueSlots(depsOf(acme)), 1);
  });

  test('slots missed while nothing ran are caught up with one run', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    await openDueSlots(depsOf(acme));
    await endRuns(acme);
    acme.clock += 5 * dayMs;
    assert.equal(await openDueSlots(depsOf(acme)), 1);
    assert.deepEqual(await slotsOf(acme), ['2026-03-10 02:00', '2026-03-15 02:00']);
  });

  test('each slot of a day is opened once, on its days only', async (t) => {
    const acme = await Company.open(open, t, { slot: '02:00,14:00', options: { cadence: 'weekdays' } });
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    // Tuesday, noon, to Tuesday, noon.
    for (let hours = 0; hours <= 7 * 24; hours++) {
      if ((await openDueSlots(depsOf(acme))) > 0) await endRuns(acme);
      acme.clock += hourMs;
    }
    const days = ['10', '11', '12', '13', '16', '17'].flatMap((day) => [`${day} 02:00`, `${day} 14:00`]);
    assert.deepEqual(
      await slotsOf(acme),
      days.slice(0, -1).map((slot) => `2026-03-${slot}`),
    );
  });

  test('a slot without files leaves no run, and is over: a later file waits for the next one', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    assert.equal(await openDueSlots(depsOf(acme)), 0);
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    assert.equal(await openDueSlots(depsOf(acme)), 0);
    acme.clock += dayMs;
    assert.equal(await openDueSlots(depsOf(acme)), 1);
    // Its sender takes the file back before the run is worked on.
    const [upload] = await control.read('uploads');
    assert.equal(await withdrawUpload(control.write, upload.id, acme.clock), true);
    assert.equal(await workNext(acme.deps), 'ended');
    assert.deepEqual(await listRuns(control.read, 'acme'), []);
  });

  test('a slot that begins during a run is opened after it, if files are left', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const run = await openManualRun(control.write, 'acme', acme.clock);
    assert.equal(await openDueSlots(depsOf(acme)), 0);
    await control.write('runs').where({ id: run }).update({ state: 'failed' });
    assert.equal(await openDueSlots(depsOf(acme)), 1);
  });

  test('a slot that begins while a run fails is opened for the files that come back, and not passed over', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    await openManualRun(control.write, 'acme', acme.clock);
    const run = await claimNow(acme);
    const fail = () => giveUpRun(control, run, 'it fails', acme.clock, '2026-03-10');
    // After the organizations, the marks of their slots, and the queues.
    const read = beforeStatement(control.read, 4, fail);
    assert.equal(await openDueSlots({ ...depsOf(acme), control: { ...control, read } }), 0);
    assert.deepEqual(
      (await listRuns(control.read, 'acme')).map(({ state }) => state),
      ['failed'],
    );
    assert.equal(await openDueSlots(depsOf(acme)), 1);
  });

  // [time zone and slot before, at which the slot before begins, at which they change, time zone and slot after, the slot after]
  const changes: [string, string, string, string, string, string, string][] = [
    [
      'Europe/Berlin',
      '02:00',
      '2026-03-10T01:00Z',
      '2026-03-10T02:00Z',
      'America/New_York',
      '02:00',
      '2026-03-10T06:00Z',
    ],
    [
      'America/New_York',
      '02:00',
      '2026-03-10T06:00Z',
      '2026-03-10T23:30Z',
      'Europe/Berlin',
      '02:00',
      '2026-03-11T01:00Z',
    ],
    ['Asia/Tokyo', '02:00', '2026-03-10T17:00Z', '2026-03-10T17:00Z', 'UTC', '17:00', '2026-03-11T17:00Z'],
    ['UTC', '02:00', '2026-03-10T02:00Z', '2026-03-10T02:30Z', 'UTC', '03:00', '2026-03-10T03:00Z'],
    ['UTC', '03:00', '2026-03-10T03:00Z', '2026-03-10T03:30Z', 'UTC', '02:00', '2026-03-11T02:00Z'],
    [
      'Pacific/Auckland',
      '23:00',
      '2026-03-10T10:00Z',
      '2026-03-10T10:30Z',
      'Pacific/Honolulu',
      '23:00',
      '2026-03-11T09:00Z',
    ],
  ];
  for (const [zone, slot, first, changed, newZone, newSlot, second] of changes)
    for (const isUp of [true, false])
      test(`${slot} ${zone} changes to ${newSlot} ${newZone}, ${isUp ? 'beside' : 'without'} an importer: each promised slot once`, async (t) => {
        const acme = await Company.open(open, t, { timeZone: zone, slot, slotsFrom: Date.parse(first) - hourMs });
        const { control } = acme.deps;
        await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
        const look = async () => {
          const opened = await openDueSlots(depsOf(acme));
          await endRuns(acme);
          return opened;
        };
        acme.clock = Date.parse(first) - 1;
        assert.equal(await look(), 0, 'before the slot');
        acme.clock = Date.parse(changed);
        if (isUp) assert.equal(await look(), 1, 'the slot');
        const place = { control, directory: acme.deps.directory, settings: acme.deps.settings, now: () => acme.clock };
        const org = async () => (await findOrg(control.read, 'acme'))!;
        await setOrganization({ ...place, org, actor: 'operator:test' } as never, 'acme', {
          timeZone: newZone,
          slot: newSlot,
        });
        assert.equal(await look(), isUp ? 0 : 1, 'the slot that was promised before');
        assert.equal(await look(), 0);
        acme.clock = Date.parse(second) - 1;
        assert.equal(await look(), 0, 'not before the promised slot');
        assert.equal(
          nextSlot(newZone, newSlot, acme.clock).at,
          Date.parse(second),
          'the slot that "orgs show" promises',
        );
        acme.clock = Date.parse(second);
        assert.equal(await look(), 1, 'the promised slot');
        assert.equal(await look(), 0);
      });

  test('files are imported as they come, together, once, and not again when that failed', async (t) => {
    const acme = await Company.open(open, t, { options: { cadence: 'on-upload' } });
    const { control, logger } = acme.deps;
    const deps = { control, logger, now: () => acme.clock, onOpen: () => {} };
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    assert.equal(await openUploadRuns(deps), 0, 'more may come');
    acme.clock += 2_000;
    const opened = await Promise.all([1, 2, 3].map(() => openUploadRuns(deps)));
    assert.equal(
      opened.reduce((sum, count) => sum + count),
      1,
    );
    const [run] = await listRuns(control.read, 'acme');
    assert.deepEqual([run!.kind, run!.slotDate, run!.state], ['upload', null, 'open']);
    await acme.drop('/teams.csv', csv('Team Name', 'Sales'));
    acme.clock += 2_000;
    assert.equal(await openUploadRuns(deps), 0, 'the open run takes it');
    await control.write('uploads').where({ path: '/users.csv' }).update({ run_id: run!.id });
    await control.write('runs').where({ id: run!.id }).update({ state: 'failed' });
    assert.equal(await openUploadRuns(deps), 1, 'it came after the failed run was opened');
    assert.equal((await claimUploads(control.write, 'acme', run!.id + 1)).length, 2);
    await giveUpRun(control, await claimNow(acme), 'it fails', acme.clock, '2026-03-10');
    assert.equal(await openUploadRuns(deps), 0, 'what failed waits for the slot');
    // A clock that was ahead opened the last run: a new file does not wait for that time.
    await control.write('runs').update({ opened_at: acme.clock + dayMs });
    acme.clock += hourMs;
    await acme.drop('/ahead.csv', csv('Team Name', 'Ahead'));
    acme.clock -= hourMs;
    assert.equal(await openUploadRuns(deps), 1, 'a file that came when the clock was ahead');
    await giveUpRun(control, await claimNow(acme), 'it fails', acme.clock, '2026-03-10');
    await updateOrg(control.write, 'acme', { options: {} });
    await acme.drop('/more.csv', csv('Team Name', 'People'));
    acme.clock += 2_000;
    assert.equal(await openUploadRuns(deps), 0);
  });

  test('an undo takes no files: what came before it is imported all the same', async (t) => {
    const acme = await Company.open(open, t, { options: { cadence: 'on-upload' } });
    const { control, logger } = acme.deps;
    const deps = { control, logger, now: () => acme.clock, onOpen: () => {} };
    const { run } = await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
    acme.clock += 1_000;
    await acme.drop('/users.csv', csv('User Email', 'bob@acme.test'));
    acme.clock += 1_000;
    const undo = await openUndoRun(control.write, 'acme', run!, acme.clock);
    assert.notEqual(await openManualRun(control.write, 'acme', acme.clock), undo, 'an import is no undo');
    await control.write('runs').where({ kind: 'manual', state: 'open' }).delete();
    acme.clock += 2_000;
    assert.equal(await openUploadRuns(deps), 0, 'after the undo');
    await control.write('runs').where({ id: undo }).update({ state: 'done' });
    assert.equal(await openUploadRuns(deps), 1);
  });

  test('what a held run gives back, since a file of it was taken back, is imported at once', async (t) => {
    const acme = await Company.open(open, t, { options: { cadence: 'on-upload', maxDeactivations: '0' } });
    const { control, logger } = acme.deps;
    const deps = { control, logger, now: () => acme.clock, onOpen: () => {} };
    await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
    acme.clock += hourMs;
    await acme.drop('/teams.csv', csv('Team Name', 'Sales'));
    const held = await acme.import({ 'leavers.csv': csv('User Email,Deactivation Date', 'ann@acme.test,2026-01-01') });
    assert.equal(held.state, 'held');
    acme.clock += hourMs;
    assert.equal(await openUploadRuns(deps), 0, 'while it is held');
    const [taken] = await control.read('uploads').where({ path: '/leavers.csv' });
    await control.transact(async (tx) => {
      assert.equal(await withdrawUpload(tx, taken.id, acme.clock), true);
      await overtakeHeld(tx, held.run, acme.clock);
    });
    assert.equal(await openUploadRuns(deps), 0, 'its sender may have another one in hand');
    acme.clock += 2_000;
    assert.equal(await openUploadRuns(deps), 1);
    const [run] = await listRuns(control.read, 'acme');
    assert.equal(await workNext(acme.deps, run!.id), 'ended');
    assert.deepEqual(Object.keys(await acme.teams()), ['Sales']);
    assert.equal(await openUploadRuns(deps), 0);
  });

  test('a disabled organization, and slots before it was enabled, are left alone', async (t) => {
    const acme = await Company.open(open, t, { enabled: false });
    const { control, logger } = acme.deps;
    const deps = { control, logger, now: () => acme.clock, onOpen: () => {} };
    assert.equal(await openDueSlots(deps), 0);
    await updateOrg(control.write, 'acme', { enabled: true, slotsFrom: acme.clock });
    assert.equal(await openDueSlots(deps), 0);
  });

  test('an importer that starts opens the missed slot and imports what waits', async (t) => {
    const acme = await Company.open(open, t);
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const importer = startImporter(acme.deps);
    t.after(() => importer.stop());
    const scheduler = await startScheduler({ ...acme.deps, onOpen: importer.nudge });
    t.after(() => scheduler.stop());
    await until(async () => (await listRuns(acme.deps.control.read, 'acme'))[0]?.state === 'done', 'the run is done');
    await scheduler.stop();
    await importer.stop();
    assert.ok('ann@acme.test' in (await acme.users()));
    assert.equal((await listRuns(acme.deps.control.read, 'acme')).length, 1);
  });

  test('U12 a scheduled deactivation happens at its time, also when nothing ran then, and is recorded', async (t) => {
    const acme = await Company.open(open, t);
    const { control, directory, logger, paths } = acme.deps;
    await acme.import({
      'users.csv': csv('User Email,Deactivation Date', 'ann@acme.test,2026-03-12', 'bob@acme.test,2026-03-20'),
    });
    assert.equal(await nextDeactivation(directory), Date.UTC(2026, 2, 11, 23));

    const run = async () => {
      const running = startDeactivations({ control, directory, paths, logger, now: () => acme.clock });
      await running.stop();
    };
    acme.clock = Date.UTC(2026, 2, 11, 22, 59);
    await run();
    assert.equal((await acme.users())['ann@acme.test']!.status, 'active');
    acme.clock = Date.UTC(2026, 2, 14);
    await run();
    await run();
    const users = await acme.users();
    assert.equal(users['ann@acme.test']!.status, 'deactivated');
    assert.equal(users['ann@acme.test']!.deactivated_at, acme.clock);
    assert.equal(users['bob@acme.test']!.status, 'active');
    const changes = await directory
      .read('changes')
      .where({ field: 'Status' })
      .select('before', 'after', 'entity_id', 'at');
    assert.deepEqual(changes, [
      { before: 'active', after: 'deactivated', entity_id: String(users['ann@acme.test']!.id), at: acme.clock },
    ]);
    const audit = await listAudit(control.read, acme.org.id);
    assert.deepEqual(
      audit
        .filter(({ action }) => action === 'users.deactivated')
        .map(({ at, actor, detail }) => ({ at, actor, detail })),
      [{ at: acme.clock, actor: 'system', detail: { users: [users['ann@acme.test']!.id] } }],
    );
    const report = '/reports/2026-03-14/deactivations.csv';
    assert.deepEqual((await acme.read(report)).split('\r\n'), [
      'User Email,User Name,Deactivation Date,Deactivated At',
      'ann@acme.test,,2026-03-12,2026-03-14 01:00 (Europe/Berlin)',
      '',
    ]);
    // A process that ended before it wrote the report: the next one does.
    await control.write('entries').where({ org_id: acme.org.id, name: 'deactivations.csv' }).delete();
    await run();
    assert.match(await acme.read(report), /ann@acme/);
    // The same file again says nothing new.
    acme.clock = importMoment + 10 * dayMs;
    const again = await acme.import({ 'users.csv': csv('User Email,Deactivation Date', 'ann@acme.test,2026-03-12') });
    assert.equal(again.users.unchanged, 1);
  });
});
