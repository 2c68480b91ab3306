/**
 * The disk fails at each step of a run that writes: its stage, its reports, its archive. The run uses up no attempt, leaves nothing
 * behind, and goes on by itself, in the same process, when the fault has ended; its file is imported once.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { findRun, openManualRun } from '../../db/control/runs.js';
import { workNext } from '../../importer/run/worker.js';
import { type Disk, systemDisk } from '../../storage/disk.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import type { Scope } from '../support/temporary.js';

const coded = (code: string) => Object.assign(new Error(`${code}: as the system says it`), { code });
/** Enough rows that the stage and the report are larger than a page. */
const rows = Array.from({ length: 300 }, (_, n) => `user${n}@acme.test,Ann ${n}`);
const file = csv('User Email,User Name', ...rows, 'no address,Nobody');

async function prepare(t: Scope) {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  await acme.drop('/users.csv', file);
  const id = await openManualRun(acme.deps.control.write, 'acme', acme.clock);
  return { acme, id };
}

/** All files below a folder. */
function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [entry.name] : [],
  );
}

async function requireFault(acme: Company, id: number, faults: number, deps = acme.deps): Promise<void> {
  const before = filesIn(acme.deps.paths.blobs);
  assert.equal(await workNext(deps), 'left');
  const run = (await findRun(acme.deps.control.read, id))!;
  assert.deepEqual([run.state, run.attempts, run.faults], ['open', 0, faults], run.fault ?? '');
  assert.deepEqual(filesIn(acme.deps.paths.stage), []);
  if (!Object.hasOwn(deps.control, 'isFailing')) assert.deepEqual(filesIn(acme.deps.paths.blobs), before);
  acme.clock = run.retryAt!;
}

async function requireRecovery(acme: Company, id: number): Promise<void> {
  assert.equal(await workNext(acme.deps), 'ended');
  const run = (await findRun(acme.deps.control.read, id))!;
  assert.deepEqual([run.state, run.fault, run.faults], ['done', null, 0]);
  assert.equal(Object.keys(await acme.users()).length, rows.length + 1);
  const created = await acme.deps.directory.read('changes').where({ field: '', entity: 'user' }).count({ n: '*' });
  // The owner's creation was recorded before.
  assert.equal(Number(created[0]!.n), rows.length + 1);
  assert.deepEqual(await acme.deps.control.read('uploads').pluck('state'), ['imported']);
  const blobs: string[] = await acme.deps.control.read('blobs').orderBy('id').pluck('id');
  assert.deepEqual(filesIn(acme.deps.paths.blobs).sort(), blobs);
}

/** Lets calls of the file system fail until the test is over, or `end` is called. */
function failDisk(t: Scope, change: Partial<Disk>): { end(): void } {
  const whole = { ...systemDisk };
  const end = () => void Object.assign(systemDisk, whole);
  t.after(end);
  Object.assign(systemDisk, change);
  return { end };
}

test('the reports: each call of the file system fails, with each error', async (t) => {
  const { acme, id } = await prepare(t);
  const { create } = systemDisk;
  const failing: Record<string, (code: string) => Partial<Disk>> = {
    create: (code) => ({ create: () => Promise.reject(coded(code)) }),
    rename: (code) => ({ rename: () => Promise.reject(coded(code)) }),
    syncFolder: (code) => ({ syncFolder: () => Promise.reject(coded(code)) }),
    makeFolder: (code) => ({ makeFolder: () => Promise.reject(coded(code)) }),
    ...Object.fromEntries(
      (['writev', 'datasync'] as const).map((call) => [
        call,
        (code: string): Partial<Disk> => ({
          create: async (path) => {
            const opened = await create(path);
            return new Proxy(opened, {
              get: (target, name) => {
                const isFailing = name === call || (call === 'datasync' && name === 'sync');
                if (isFailing) return () => Promise.reject(coded(code));
                const value = Reflect.get(target, name);
                return typeof value === 'function' ? value.bind(target) : value;
              },
            });
          },
        }),
      ]),
    ),
  };
  let faults = 0;
  for (const [call, change] of Object.entries(failing))
    for (const code of call === 'create' ? ['ENOSPC', 'EDQUOT', 'EIO', 'EMFILE', 'EROFS'] : ['ENOSPC', 'EIO']) {
      const fault = failDisk(t, change(code));
      await requireFault(acme, id, ++faults);
      fault.end();
    }
  await requireRecovery(acme, id);
});

test('the archive: the control database fails when the run is settled, after it was applied', async (t) => {
  const { acme, id } = await prepare(t);
  const { control } = acme.deps;
  for (const [turn, code] of ['SQLITE_FULL', 'SQLITE_IOERR', 'SQLITE_READONLY'].entries()) {
    const transact: Db['transact'] = (work) =>
      control.transact(async (tx) => {
        await work(tx);
        throw coded(code);
      });
    await requireFault(acme, id, turn + 1, {
      ...acme.deps,
      control: { ...control, transact, isFailing: true } as never,
    });
  }
  await requireRecovery(acme, id);
});

/** Mounts a small file system over a folder; false: this process may not. */
function mount(t: Scope, folder: string, options: string): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  t.after(() => void execFileSync('umount', ['-l', folder], { stdio: 'ignore' }));
  return true;
}

for (const [name, options, fill] of [
  [
    'is full',
    'size=192k,mode=700',
    (folder: string) => writeFileSync(join(folder, 'filler'), Buffer.alloc(128 * 1024)),
  ],
  ['has no inodes', 'nr_inodes=2,mode=700', (folder: string) => writeFileSync(join(folder, 'filler'), '')],
] as const)
  test(`the stage: its volume ${name}`, async (t) => {
    const { acme, id } = await prepare(t);
    const { stage } = acme.deps.paths;
    if (!mount(t, stage, options)) return t.skip('only root mounts a file system');
    fill(stage);
    const filler = join(stage, 'filler');
    for (let faults = 1; faults <= 3; faults++) {
      assert.equal(await workNext(acme.deps), 'left');
      const run = (await findRun(acme.deps.control.read, id))!;
      assert.deepEqual([run.state, run.attempts, run.faults], ['open', 0, faults]);
      assert.match(run.fault!, /SQLITE_FULL|SQLITE_CANTOPEN|ENOSPC/);
      assert.deepEqual(filesIn(stage), ['filler']);
      acme.clock = run.retryAt!;
    }
    execFileSync('mount', ['-o', 'remount,size=64m,nr_inodes=100', stage]);
    rmSync(filler);
    await requireRecovery(acme, id);
  });
