/** A backup and a restore are killed at each step: a backup is complete or says that it is not, and a restore can be repeated. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import { pathsOf } from '../../config/paths.js';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { describeAdvance } from '../../operations/advance.js';
import { type BackupStep, backUp } from '../../operations/backup/backup.js';
import { type RestoreStep, restore } from '../../operations/backup/restore.js';
import { Company, csv, importMoment } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { moduleArguments } from '../support/program.js';
import { freePort } from '../support/sshd.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { examine } from '../support/workplace.js';

const quiet = { includeKeys: false, onProgress: () => {} };

/** Runs test/crash/restore.child.ts; resolves when it was killed at the step. */
async function dieAt(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [...moduleArguments('restore.child', import.meta.url), ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code, signal] = await once(child, 'exit');
  assert.deepEqual([code, signal], [null, 'SIGKILL'], args.join(' '));
}

/** An organization with two sealed files, one of them imported; its master key. */
async function fill(scope: Scope): Promise<{ settings: Settings; key: Buffer }> {
  const acme = await Company.open((one) => openFresh(one, 'sqlite'), scope);
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  await acme.drop('/more.csv', csv('User Email', 'bea@acme.test'));
  const { settings } = acme.databases;
  const key = readFileSync(pathsOf(settings).masterKey);
  return { settings, key };
}

/** An empty folder for a restore, with the master key in it. */
function newFolder(scope: Scope, key: Buffer): string {
  const data = join(temporaryFolder(scope), 'data');
  mkdirSync(join(data, 'keys'), { recursive: true, mode: 0o700 });
  writeFileSync(join(data, 'keys', 'master.key'), key, { mode: 0o600 });
  return data;
}

async function requireWhole(settings: Settings): Promise<void> {
  const wrong = (await examine(settings, { deep: true, now: () => importMoment })).filter(
    ({ level }) => level === 'wrong',
  );
  assert.deepEqual(wrong, []);
  const place = await openWorkplace(settings);
  const uploads = await place.control.read('uploads').orderBy('path').select('path', 'state');
  await place.close();
  assert.deepEqual(uploads, [
    { path: '/more.csv', state: 'queued' },
    { path: '/users.csv', state: 'imported' },
  ]);
}

test('a backup that is killed at any step is complete or says that it is not, and can be made again', async (t) => {
  const { settings, key } = await fill(t);
  const steps: BackupStep[] = ['opened', 'databases', 'file', 'copied', 'keys', 'begun', 'published'];
  for (const step of steps) {
    const folder = join(temporaryFolder(t), 'backup');
    await dieAt('backup', settings.data, folder, step);
    const again = () =>
      restore({ file: undefined, overrides: { data: newFolder(t, key) } }, openWorkplace, folder, quiet);
    if (step !== 'published') await assert.rejects(again(), /is not complete: restore another one|is no backup/, step);
    const place = await openWorkplace(settings);
    await backUp(place, folder, { ...quiet, pgDump: 'pg_dump' });
    await place.close();
    assert.deepEqual(readdirSync(folder).sort(), ['backup.json', 'blobs', 'control.db', 'directory.db'], step);
    await requireWhole((await again()).settings);
  }
});

/** Restores with a kill at each step, then again. @param empty gives an empty database */
async function killEach(
  t: TestContext,
  { backup, key, pgDump }: { backup: string; key: Buffer; pgDump: string },
  steps: readonly RestoreStep[],
  empty: () => Promise<string>,
): Promise<void> {
  for (const step of steps) {
    const [data, database] = [newFolder(t, key), await empty()];
    await dieAt('restore', backup, data, step, database, pgDump);
    const settings = settingsSchema.parse({ data, database });
    if (step !== 'released') {
      await assert.rejects(openWorkplace(settings), /is being restored .* repeat "dropslot restore"/, step);
      const said: string[] = [];
      const choice = { file: undefined, overrides: { data, database, pgDump } };
      await restore(choice, openWorkplace, backup, { onProgress: (news) => said.push(describeAdvance(news)) });
      const wasThere = said.includes('the database was restored before the interruption');
      assert.equal(wasThere, step === 'database', step);
    }
    assert.ok(!existsSync(join(data, 'restoring')), step);
    await requireWhole(settings);
  }
}

test('a restore that is killed at any step can be repeated, and no server starts before', async (t) => {
  const { settings, key } = await fill(t);
  const backup = join(temporaryFolder(t), 'backup');
  const place = await openWorkplace(settings);
  await backUp(place, backup, { ...quiet, pgDump: 'pg_dump' });
  await place.close();
  const steps: RestoreStep[] = [
    'claimed',
    'settings',
    'checked',
    'file',
    'copied',
    'keys',
    'directory',
    'control',
    'released',
  ];
  await killEach(t, { backup, key, pgDump: 'pg_dump' }, steps, async () => 'sqlite');
});

const binaries = '/usr/lib/postgresql/15/bin';
const skip = existsSync(join(binaries, 'initdb'))
  ? false
  : 'needs the Debian package postgresql-15: initdb, pg_dump, pg_restore';

/** A PostgreSQL of the version of its client programs. */
async function startCluster(scope: Scope): Promise<(name: string) => Promise<string>> {
  let stop = async () => {};
  scope.after(() => stop()); // before its folder is removed
  const folder = temporaryFolder(scope);
  const user = process.getuid?.() === 0 ? idsOf('postgres') : {};
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid!);
  chmodSync(folder, 0o755);
  const [data, port] = [join(folder, 'cluster'), await freePort()];
  const run = async (name: string, ...args: string[]) => {
    const child = spawn(join(binaries, name), args, { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    const [code] = await once(child, 'exit');
    assert.equal(code, 0, `${name} ${args.join(' ')}`);
  };
  await run('initdb', '--username=postgres', '--auth=trust', '--no-sync', '--pgdata', data);
  const options = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories='' -c fsync=off`;
  await run('pg_ctl', '--pgdata', data, '--wait', '--log', join(folder, 'log'), '--options', options, 'start');
  stop = () => run('pg_ctl', '--pgdata', data, '--mode', 'immediate', 'stop');
  return async (name) => {
    await run('createdb', '--host=127.0.0.1', `--port=${port}`, '--username=postgres', name);
    return `postgres://postgres@127.0.0.1:${port}/${name}`;
  };
}

function idsOf(name: string): { uid?: number; gid?: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined ? {} : { uid: Number(uid), gid: Number(gid) };
}

test('a restore into PostgreSQL that is killed at any step, also while pg_restore works, can be repeated', {
  skip,
}, async (t) => {
  const create = await startCluster(t);
  let databases = 0;
  const empty = () => create(`empty${++databases}`);
  // Made by the same operations as a customer's data: the backup is of a server on PostgreSQL.
  const source = settingsSchema.parse({ data: temporaryFolder(t), database: await create('source') });
  const from = await openWorkplace(source, { create: true });
  const acme = await Company.join({ settings: source, control: from.control, directory: from.directory });
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  await acme.drop('/more.csv', csv('User Email', 'bea@acme.test'));
  const key = readFileSync(pathsOf(source).masterKey);
  const backup = join(temporaryFolder(t), 'backup');
  const pgDump = join(binaries, 'pg_dump');
  await backUp(from, backup, { ...quiet, pgDump });
  await from.close();
  const steps: RestoreStep[] = ['checked', 'copied', 'noted', 'database', 'released'];
  await killEach(t, { backup, key, pgDump }, steps, empty);

  // The pg_restore of a killed restore goes on.
  const programs = temporaryFolder(t);
  writeFileSync(join(programs, 'pg_restore'), `#!/bin/sh\nsleep 3\nexec ${binaries}/pg_restore "$@"\n`, {
    mode: 0o755,
  });
  const [data, database] = [newFolder(t, key), await empty()];
  const args = ['restore', backup, data, 'none', database, join(programs, 'pg_dump')];
  const child = spawn(process.execPath, [...moduleArguments('restore.child', import.meta.url), ...args]);
  child.stdout.setEncoding('utf8');
  for (let said = ''; !said.includes('restoring the database'); ) said += (await once(child.stdout, 'data'))[0];
  await new Promise((resolve) => setTimeout(resolve, 500)); // the program has begun
  child.kill('SIGKILL');
  await once(child, 'exit');
  rmSync(join(programs, 'pg_restore'));
  writeFileSync(join(programs, 'pg_restore'), `#!/bin/sh\nsleep 6\nexec ${binaries}/pg_restore "$@"\n`, {
    mode: 0o755,
  });
  const overrides = { data, database, pgDump: join(programs, 'pg_dump') };
  await restore({ file: undefined, overrides }, openWorkplace, backup, quiet);
  await requireWhole(settingsSchema.parse({ data, database }));

  // Data of another installation, or of a running server, is never taken for the restored one.
  const other = { data: newFolder(t, key), database: source.database, pgDump };
  await assert.rejects(
    restore({ file: undefined, overrides: other }, openWorkplace, backup, quiet),
    /has data of Dropslot already: restore into an empty one/,
  );
  assert.ok(!existsSync(join(other.data, 'RESTORING')) && !existsSync(join(other.data, 'blobs')));
});
