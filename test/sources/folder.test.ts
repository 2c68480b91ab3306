/** Watched folders: a file enters once, when its sender has finished it, and only from the folder itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { FolderConfig } from '../../db/control/sources.js';
import { findSource } from '../../db/control/sources.js';
import { addFolder } from '../../operations/folders.js';
import type { RoundStep } from '../../sources/deps.js';
import { createPatience } from '../../sources/folder/patience.js';
import { type Watching, watchSources } from '../../sources/watch.js';
import { openDoor } from '../support/doors.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

const content = 'User Email,User Name\nann@acme.test,Ann\n';

async function open(scope: Scope, change: Partial<FolderConfig> = {}, onEnd: () => Promise<void> = async () => {}) {
  // Before the databases are closed: a query to a closed pool waits for a minute.
  scope.after(onEnd);
  const dir = temporaryFolder(scope);
  const config: FolderConfig = {
    kind: 'folder',
    ...{ dir, patterns: [], after: { kind: 'keep' }, into: '/', poll: false, marker: null, isMount: false },
    ...change,
  };
  const door = await openDoor(scope, config, null);
  const put = (name: string, text = content) => writeFileSync(join(dir, name), text);
  return { dir, put, ...door };
}

test('a file enters once, with a receipt that names the folder; a changed one enters again', async (t) => {
  const { put, id, round, queue } = await open(t);
  put('users.csv');
  assert.equal((await round()).result?.taken, 1);
  assert.equal((await round()).result?.taken, 0);
  const [upload] = await queue();
  assert.deepEqual([upload!.path, upload!.client, upload!.address], ['/users.csv', `folder:${id}`, null]);
  put('users.csv', `${content}bea@acme.test,Bea\n`);
  assert.equal((await round()).result?.taken, 1);
});

test('links, folders and files below them do not enter, nor does a link that takes the place of a file', async (t) => {
  const outside = temporaryFolder(t);
  writeFileSync(join(outside, 'secret.csv'), 'secret');
  const { dir, put, round, queue } = await open(t);
  symlinkSync(join(outside, 'secret.csv'), join(dir, 'link.csv'));
  symlinkSync(outside, join(dir, 'sub.csv'));
  mkdirSync(join(dir, 'real.csv'));
  put('real.csv/inner.csv');
  put('swapped.csv');
  put('ok.csv');
  const swap = (step: RoundStep) => {
    if (step !== 'listed') return;
    rmSync(join(dir, 'swapped.csv'));
    symlinkSync(join(outside, 'secret.csv'), join(dir, 'swapped.csv'));
  };
  const { result } = await round({ onStep: swap });
  assert.deepEqual([result?.taken, result?.waiting], [1, 1]);
  assert.deepEqual(
    (await queue()).map(({ path }) => path),
    ['/ok.csv'],
  );
});

test('a folder that became a link elsewhere is not read', async (t) => {
  const outside = temporaryFolder(t);
  writeFileSync(join(outside, 'secret.csv'), 'secret');
  const { dir, round, queue } = await open(t);
  renameSync(dir, `${dir}.old`);
  t.after(() => rmSync(`${dir}.old`, { recursive: true, force: true }));
  symlinkSync(outside, dir);
  t.after(() => rmSync(dir, { force: true }));
  assert.deepEqual([(await round()).failure?.code, await queue()], ['folder', []]);
});

test('a file that a process has open does not enter', { skip: process.platform !== 'linux' }, async (t) => {
  const { dir, put, round } = await open(t);
  put('users.csv');
  const script = 'require("fs").openSync(process.argv[1], "a"); console.log("open"); setInterval(() => {}, 1000)';
  const holder = spawn(process.execPath, ['-e', script, join(dir, 'users.csv')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout!, 'data');
  assert.deepEqual([(await round()).result?.waiting, (await round()).result?.taken], [1, 0]);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  assert.equal((await round()).result?.taken, 1);
});

test('a file that grows during the round does not enter', async (t) => {
  const { dir, put, round, queue } = await open(t);
  put('users.csv');
  const grow = (step: RoundStep) => {
    if (step === 'read') appendFileSync(join(dir, 'users.csv'), 'bea@acme.test,Bea\n');
  };
  assert.deepEqual([(await round({ onStep: grow })).result?.waiting, await queue()], [1, []]);
  assert.equal((await round()).result?.taken, 1);
});

test('with a marker a file enters when its marker appears, and again with a new marker', async (t) => {
  const { dir, put, round, company } = await open(t, { marker: '.done', after: { kind: 'delete' } });
  put('users.csv');
  put('teams.csv', 'Team Name\nX\n');
  assert.equal((await round()).result?.waiting, 2);
  put('users.csv.done', '');
  put('teams.done', '');
  assert.equal((await round()).result?.taken, 2);
  await company.import();
  await round();
  assert.deepEqual(readdirSync(dir), [], 'the markers are deleted with their files');
  put('users.csv', `${content}bea@acme.test,Bea\n`);
  put('users.csv.done', '');
  utimesSync(join(dir, 'users.csv.done'), 1, 1);
  assert.equal((await round()).result?.waiting, 1, 'the marker of an earlier version');
});

test('a file is moved after its import, and not before; a refused one to another folder', async (t) => {
  const { dir, put, round, company } = await open(t, { after: { kind: 'move', to: 'imported' } });
  put('users.csv');
  put('bad.csv', 'nothing,useful\n1,2\n');
  await round();
  await round();
  assert.deepEqual(readdirSync(dir).sort(), ['bad.csv', 'users.csv']);
  await company.import();
  const { result } = await round();
  assert.deepEqual(result?.problems, []);
  assert.deepEqual(readdirSync(dir).sort(), ['imported', 'refused']);
  assert.deepEqual(
    [readdirSync(join(dir, 'imported')), readdirSync(join(dir, 'refused'))],
    [['users.csv'], ['bad.csv']],
  );
  put('users.csv');
  assert.equal((await round()).result?.taken, 1, 'a name that was moved is new when it comes again');
});

for (const step of ['opened', 'sealed', 'taken', 'finished'] as const)
  test(`a crash after the step "${step}" takes nothing twice`, async (t) => {
    const { dir, put, company, round, id } = await open(t, { after: { kind: 'delete' } });
    put('users.csv');
    const crash = (reached: RoundStep) => {
      if (reached === step) throw new Error('crash');
    };
    if (step === 'finished') {
      await round();
      await company.import();
    }
    await assert.rejects(round({ onStep: crash }), /crash/);
    assert.equal(existsSync(join(dir, 'users.csv')), step !== 'finished');
    await company.deps.control.write('sources').where({ id }).update({ lease_until: 0 });
    await round();
    await company.import();
    await round();
    assert.deepEqual(readdirSync(dir), []);
    const uploads = await company.deps.control.read('uploads').where({ org_id: 'acme' });
    assert.equal(uploads.length, 1);
  });

test('an unmounted share, missing or empty, makes nothing new, and nothing is deleted', async (t) => {
  const { dir, put, round, company, taken, source } = await open(t, { after: { kind: 'delete' } });
  put('a.csv');
  put('b.csv', `${content}bea@acme.test,Bea\n`);
  await round();
  await company.import();
  const away = `${dir}.away`;
  renameSync(dir, away);
  assert.equal((await round()).failure?.code, 'folder');
  mkdirSync(dir);
  assert.equal((await round()).failure, null);
  assert.equal((await taken()).length, 2);
  rmSync(dir, { recursive: true });
  renameSync(away, dir);
  const { result } = await round();
  assert.deepEqual([result?.taken, (await source()).failures], [0, 0]);
  assert.deepEqual(readdirSync(dir), []);
});

test('a folder whose file system is not mounted is not read', async (t) => {
  const { put, round, change } = await open(t);
  put('users.csv');
  await change({ isMount: true });
  const { failure } = await round();
  // Where the system's folder for temporary files is a file system of its own, it counts as mounted.
  assert.ok(failure === null || /not mounted/.test(failure.message));
});

test('a folder that does not answer fails its round, and is asked again only when it has answered', async () => {
  const patience = createPatience(5);
  let answer = () => {};
  const silent = () =>
    new Promise<void>((done) => {
      answer = done;
    });
  let asked = 0;
  const count = async () => void asked++;
  await assert.rejects(patience.ask('/nfs', silent), { code: 'timeout' });
  await assert.rejects(patience.ask('/nfs', count), { code: 'timeout' });
  await patience.ask('/other', count);
  assert.equal(asked, 1);
  answer();
  await Promise.resolve();
  await patience.ask('/nfs', count);
  assert.equal(asked, 2);
});

test('many files enter in the order of their times', async (t) => {
  const { dir, put, round, queue } = await open(t);
  for (let index = 0; index < 60; index++) {
    const name = `f${String((index * 7) % 60).padStart(3, '0')}.csv`;
    put(name, `${content}${index}`);
    utimesSync(join(dir, name), 1_700_000_000 + index, 1_700_000_000 + index);
  }
  assert.equal((await round()).result?.taken, 60);
  assert.deepEqual(
    (await queue()).slice(0, 3).map(({ path }) => path),
    ['/f000.csv', '/f007.csv', '/f014.csv'],
  );
});

test('a notification of the system begins a round', async (t) => {
  let watching: Watching | null = null;
  const { dir, put, company, deps, id, queue } = await open(t, {}, async () => watching?.stop());
  for (let index = 0; index < 40; index++) put(`note${index}.md`);
  const before = countWatches();
  watching = watchSources(deps, 100);
  const until = async (fits: () => Promise<boolean>) => {
    for (const end = Date.now() + 120_000; !(await fits()); ) {
      assert.ok(Date.now() < end, 'in time');
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  const nextAt = async () => (await findSource(company.deps.control.read, id))!.nextAt;
  await until(async () => (await nextAt()) > company.clock);
  assert.ok(countWatches() - before <= 1, 'one watch for the folder, none for each file');
  // The clock of the test stands still: only a notification makes it due.
  const write = setInterval(() => put('users.csv'), 1000);
  await until(async () => (await queue()).length === 1).finally(() => clearInterval(write));
  assert.ok(existsSync(join(dir, 'users.csv')));
});

/** Of inotify in this process; 0 on other systems than Linux. */
function countWatches(): number {
  if (process.platform !== 'linux') return 0;
  const describe = (fd: string) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    } catch {
      return ''; // closed meanwhile
    }
  };
  return readdirSync('/proc/self/fdinfo').map(describe).join('').split('inotify wd').length - 1;
}

test('a folder with Dropslot’s own data, a relative one, and one that is watched already are refused', async (t) => {
  const { dir, company } = await open(t);
  const place = await workplaceOn(t, company.databases.settings);
  await assert.rejects(addFolder(place, 'acme', dir, {}), /watched already/);
  await assert.rejects(addFolder(place, 'acme', place.paths.data, {}), /own data/);
  await assert.rejects(addFolder(place, 'acme', 'hr', {}), /whole path/);
  await assert.rejects(addFolder(place, 'acme', '/nowhere/at/all', {}), /can't be used/);
  const other = temporaryFolder(t);
  await assert.rejects(addFolder(place, 'acme', other, { afterImport: 'burn' }), /none of keep, delete or move/);
  await assert.rejects(addFolder(place, 'acme', other, { into: '/archive' }), /only Dropslot writes there/);
});
