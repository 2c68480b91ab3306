/** A file that stopped an importer is refused unread, and the other files of its run are imported. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endQuarantine, releaseLeases, strikeUpload } from '../../../db/control/quarantine.js';
import { claimRun, findRun, openManualRun } from '../../../db/control/runs.js';
import { checkNext } from '../../../importer/check/checkworker.js';
import { workNext } from '../../../importer/run/worker.js';
import type { RunSummary } from '../../../importer/types.js';
import { examineImporters } from '../../../operations/doctor/importers.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';

onBothDatabases('quarantine', (open) => {
  test('it is refused with its reason, the others are imported, and the operator finds it', async (t) => {
    const acme = await Company.open(open, t, { options: { encoding: 'auto' } });
    const { control } = acme.deps;
    await acme.drop('/good.csv', csv('User Email', 'ann@acme.test'));
    await acme.drop('/bad.csv', csv('User Email', 'bob@acme.test'));
    const { id } = await control.read('uploads').where({ path: '/bad.csv' }).first('id');
    const run = await openManualRun(control.write, 'acme', acme.clock);

    for (const isRefused of [false, true]) {
      const claimed = (await claimRun(control.write, 'hangs', acme.clock, 30_000))!;
      assert.deepEqual([claimed.id, claimed.attempts], [run, 1], 'strikes of the file are no attempts of the run');
      assert.equal(await strikeUpload(control, id, 'hung', acme.clock), isRefused);
      await releaseLeases(control, 'hangs', false);
    }

    const read: number[] = [];
    const onFile = (upload: number | null) => upload !== null && read.push(upload);
    assert.equal(await workNext({ ...acme.deps, onFile }, run), 'ended');
    assert.ok(!read.includes(id) && read.length > 0);
    const summary = (await findRun(control.read, run))!.summary as RunSummary;
    assert.deepEqual(
      summary.files.map(({ name, state, refusal }) => [name, state, refusal?.code ?? null]),
      [
        ['good.csv', 'imported', null],
        ['bad.csv', 'refused', 'too_costly'],
      ],
    );
    assert.match(summary.files[1]!.refusal!.message, /it stopped the importer twice/);
    assert.deepEqual(await acme.codes(summary, 1), ['too_costly@']);
    const [found] = await examineImporters({ control, now: acme.deps.now });
    assert.deepEqual([found!.level, found!.subject], ['warning', 'acme /bad.csv']);
    assert.match(found!.message, /the importer did not respond .* The file is refused/);
    const [event] = await control.read('audit').where({ action: 'upload.quarantined' });
    assert.deepEqual(JSON.parse(event.detail), { upload: id, cause: 'hung', strikes: 2 });
  });

  test('one that exceeds its budget of time is refused at once, and read again when the quarantine ends', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/users.csv', csv('User Email', 'ann@acme.test'));
    const { id } = await control.read('uploads').first('id');
    assert.equal(await strikeUpload(control, id, 'time', acme.clock), true);
    await control.transact((tx) => endQuarantine(tx, [id]));
    assert.equal((await acme.import()).files[0]!.state, 'imported');
  });

  test('a check that took too long says so in its report, and the file is imported all the same', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    await acme.drop('/dry-run/slow.csv', csv('User Email', 'ann@acme.test'));
    await acme.drop('/slow.csv', csv('User Email', 'ann@acme.test'));
    for (const { id } of await control.read('uploads').select('id'))
      assert.equal(await strikeUpload(control, id, 'check_time', acme.clock), true);
    acme.clock += 60_000;
    const deps = { ...acme.deps, mustYield: () => false };
    assert.deepEqual([await checkNext(deps), await checkNext(deps)], ['checked', 'checked']);
    for (const name of ['slow.dry-run', 'slow.check'])
      assert.match(await acme.read(`/reports/2026-03-10/${name}.csv`), /check_too_long/, name);
    assert.equal((await acme.import()).files[0]!.state, 'imported');
  });

  test('the leases of a process that has ended are free at once', async (t) => {
    const acme = await Company.open(open, t);
    const { control } = acme.deps;
    const run = await openManualRun(control.write, 'acme', acme.clock);
    await claimRun(control.write, 'dead', acme.clock, 30_000);
    await releaseLeases(control, 'other', true);
    assert.equal(await claimRun(control.write, 'next', acme.clock, 30_000), null);
    await releaseLeases(control, 'dead', true);
    const next = (await claimRun(control.write, 'next', acme.clock, 30_000))!;
    assert.deepEqual([next.id, next.attempts], [run, 2], 'a process that died of itself used up an attempt');
  });
});
