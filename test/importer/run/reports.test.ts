/** The sealed reports of a run that is held, rejected or applied: each has a row, whatever cuts the run short. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import type { Db } from '../../../db/connection.js';
import { isBlobLive } from '../../../db/control/blobs.js';
import { findRun, openManualRun, type Run } from '../../../db/control/runs.js';
import type { RunStep } from '../../../importer/run/deps.js';
import { rejectRun } from '../../../importer/run/rejection.js';
import { workNext } from '../../../importer/run/worker.js';
import { blobPath } from '../../../storage/blobs.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import type { Scope } from '../../support/temporary.js';

const names = Array.from({ length: 20 }, (_, n) => `u${n}@acme.test`);
const leavers = csv('User Email,Deactivation Date', ...names.map((name) => `${name},2026-03-10`));
const decision = { by: 'operator:test', note: null };

type Fault = 'none' | 'fails' | 'answer lost';

/** A control database whose next transaction fails at its commit, or is committed and then throws. */
function faulty(control: Db): { control: Db; break(fault: Fault): void } {
  let fault: Fault = 'none';
  const transact = async (work: Parameters<Db['transact']>[0]) => {
    const now = fault;
    fault = 'none';
    const result = await control.transact(async (tx) => {
      const done = await work(tx);
      if (now === 'fails') throw new Error('the commit failed');
      return done;
    });
    if (now === 'answer lost') throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    return result;
  };
  return {
    control: { ...control, transact: transact as Db['transact'] },
    break: (next) => {
      fault = next;
    },
  };
}

onBothDatabases('reports of a run', (open) => {
  /** An organization whose next import is held. */
  const setUp = async (t: Scope) => {
    const acme = await Company.open(open, t);
    await acme.import({ 'first.csv': csv('User Email', ...names) });
    await acme.drop('/users.csv', leavers);
    const id = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
    return { acme, id };
  };
  const runOf = async (acme: Company, id: number): Promise<Run> => (await findRun(acme.deps.control.read, id))!;
  /** Blobs that no row needs. Every file that has a name has its bytes. */
  const orphans = async ({ deps: { control, paths } }: Company): Promise<number> => {
    for (const { blob_id } of await control.read('entries').whereNotNull('blob_id').select('blob_id'))
      assert.ok(existsSync(blobPath(paths, blob_id)), 'a name without its bytes');
    const files = readdirSync(paths.blobs, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    let count = 0;
    for (const { name } of files) if (!(await isBlobLive(control.read, name))) count++;
    return count;
  };

  test('a run that another importer took over while it was planned leaves no held reports', async (t) => {
    const { acme, id } = await setUp(t);
    const onStep = async (step: RunStep) => {
      if (step === 'planned') await acme.deps.control.write('runs').where({ id }).update({ lease_owner: 'another' });
    };
    assert.equal(await workNext({ ...acme.deps, onStep }, id), 'ended');
    assert.equal((await runOf(acme, id)).state, 'running');
    assert.equal(await orphans(acme), 0);
  });

  for (const fault of ['fails', 'answer lost'] as const)
    test(`a hold whose commit ${fault} keeps exactly the reports that have rows`, async (t) => {
      const { acme, id } = await setUp(t);
      const db = faulty(acme.deps.control);
      const onStep = async (step: RunStep) => {
        if (step === 'planned') db.break(fault);
      };
      assert.equal(await workNext({ ...acme.deps, control: db.control, onStep }, id), 'left');
      assert.equal((await runOf(acme, id)).state, fault === 'fails' ? 'open' : 'held');
      assert.equal(await orphans(acme), 0);
      if (fault === 'fails') assert.equal(await workNext(acme.deps, id), 'ended');
      assert.equal(await orphans(acme), 0);
      assert.match(await acme.read(`/reports/2026-03-10/run-${id}.held.txt`), /HELD/);
    });

  test('a rejection keeps its summary only when its rows are committed', async (t) => {
    const { acme, id } = await setUp(t);
    assert.equal(await workNext(acme.deps, id), 'ended');
    const db = faulty(acme.deps.control);
    const reject = async (fault: Fault) => {
      db.break(fault);
      return rejectRun({ ...acme.deps, control: db.control }, held, decision).catch((error: Error) => error.message);
    };
    const held = await runOf(acme, id);
    assert.equal(await reject('fails'), 'the commit failed');
    assert.deepEqual([(await runOf(acme, id)).state, await orphans(acme)], ['held', 0]);
    assert.equal(await reject('answer lost'), 'read ECONNRESET');
    assert.deepEqual([(await runOf(acme, id)).state, await orphans(acme)], ['rejected', 0]);
    assert.equal(await reject('none'), false);
    assert.equal(await orphans(acme), 0);
    assert.match(await acme.read(`/reports/2026-03-10/run-${id}.rejected.txt`), /REJECTED/);
  });

  for (const [step, applied] of [
    ['reported', false],
    ['applied', true],
  ] as const)
    test(`an import that fails once it is ${step} ${applied ? 'keeps' : 'removes'} its reports`, async (t) => {
      const acme = await Company.open(open, t);
      const { control } = acme.deps;
      await acme.drop('/users.csv', csv('user email', 'ann@acme.test'));
      const id = await openManualRun(control.write, 'acme', acme.clock);
      const onStep = async (at: RunStep) => {
        if (at === step) throw new Error('read ETIMEDOUT');
      };
      const before = await orphans(acme);
      assert.equal(await workNext({ ...acme.deps, onStep }, id), 'left');
      // Until the run is settled the control database does not know the reports.
      assert.equal((await orphans(acme)) > before, applied);
      assert.equal(await workNext(acme.deps, id), 'ended');
      assert.equal(await orphans(acme), 0);
      assert.match(await acme.read('/reports/2026-03-10/users.report.csv'), /^line,column/);
    });
});
