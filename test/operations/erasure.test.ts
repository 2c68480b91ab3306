/** A person is erased from the directory, the history, every stored file and the bytes of the databases; later files are told. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Db } from '../../db/connection.js';
import { listAudit } from '../../db/control/audit.js';
import { listBlobs } from '../../db/control/blobs.js';
import { findOrg, updateOrg } from '../../db/control/orgs.js';
import { findErased, listErased } from '../../db/directory/erasedpeople.js';
import { digestErased } from '../../importer/read/erased.js';
import { setOrganization } from '../../operations/orgs.js';
import { type ErasureStep, eraseUser, readmitUser } from '../../operations/people/erase.js';
import { setUser } from '../../operations/people/users.js';
import { undoRunNow } from '../../operations/runs.js';
import type { Workplace } from '../../operations/workplace.js';
import { blobPath, openBlobOf } from '../../storage/blobs.js';
import { Company, csv } from '../support/company.js';
import { isLockAwaited, onBothInLongTests, openFresh } from '../support/databases.js';
import { until } from '../support/session.js';
import { workplaceOn } from '../support/workplace.js';

const header = 'User Email,User Name,Manager,Manager Email,Employee ID,Buddy';
const people = csv(
  header,
  'ann@acme.test,Ännchen Leeuwenhoek,,bob@acme.test,E-77001,',
  'bob@acme.test,Bob,Ännchen Leeuwenhoek,,E-2,ANN@acme.test',
  'joann@acme.test,Jo,Ännchen Leeuwenhoek,ann@acme.test,E-3,joann@acme.test',
  'bad address,Ännchen Leeuwenhoek,,,,',
);
const options = { waitMs: 0, removesUnsearched: false };
const secrets = ['ann@acme.test', 'ann.old@acme.test', 'Leeuwenhoek', 'E-77001'];

/** Whether a text names the person; `joann@acme.test` is another. */
function findSecrets(bytes: Buffer): string[] {
  const texts = [bytes.toString('latin1'), bytes.toString('utf16le'), bytes.subarray(1).toString('utf16le')];
  return secrets.filter((secret) =>
    texts.some((text) => new RegExp(`(?<![a-z])${secret.replaceAll('.', '\\.')}`, 'i').test(text)),
  );
}

function* filesBelow(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* filesBelow(path);
    else yield path;
  }
}

/** An organization that has the person in every place that may. */
async function begin(...[open, t]: [Parameters<typeof Company.open>[0], Parameters<typeof Company.open>[1]]) {
  const acme = await Company.open(open, t, { options: { identifier: 'Employee ID', protected: ['ann@acme.test'] } });
  const place = { ...(await workplaceOn(t as never, acme.databases.settings)), now: () => acme.clock };
  await acme.import({ 'old.csv': csv('User Email,Employee ID', 'ann.old@acme.test,E-77001') });
  await acme.import({ 'users.csv': people, 'teams.csv': csv('Team Name,Owner Email', 'Sales,ann@acme.test') });
  await acme.import({ 'users.csv': `\ufeff${csv('User Email;Manager Email', 'cyd@acme.test;ann@acme.test')}` });
  await acme.drop('/queued.csv', csv('User Email,Manager Email', 'dan@acme.test,Ann@acme.test'));
  await acme.drop('/dry-run/trial.csv.gz', gzipSync(people));
  await acme.drop('/notes.txt', 'see ann@acme.test, and "joann@acme.test"');
  const blobs = async () => {
    const found: string[] = [];
    for (const { id } of await listBlobs(place.control.read, 'acme')) {
      const reader = await openBlobOf(place.paths, id, () => place.identity(acme.org)).catch(() => null);
      if (reader === null) continue;
      const pieces: Buffer[] = [];
      for await (const piece of reader.stream()) pieces.push(piece);
      await reader.close();
      found.push(...findSecrets(Buffer.concat(pieces)).map((secret) => `${id} ${secret}`));
    }
    return found;
  };
  return { acme, place, blobs };
}

onBothInLongTests('the erasure of a person', (open) => {
  test('leaves nothing in the directory, the history and the stored files, and a receipt that names nobody', async (t) => {
    const { acme, place, blobs } = await begin(open, t);
    const { id } = (await acme.users())['ann@acme.test']!;
    assert.ok((await blobs()).length > 5);
    const dropped = await place.control.read('entries').whereIn('name', ['queued.csv', 'notes.txt']).pluck('blob_id');
    await acme.drop('/nobody.txt', 'nobody');
    const { blob_id: kept } = await place.control.read('entries').where({ name: 'nobody.txt' }).first('blob_id');
    for (const id of [...dropped, kept])
      await place.control
        .write('unsynced_blobs')
        .insert({ id, bytes: readFileSync(blobPath(place.paths, id)), boot: 'this-boot' });
    const erasure = await eraseUser(place, 'acme', 'ANN@acme.test ', options);
    assert.deepEqual(await blobs(), []);
    // Small files that are not synced yet.
    assert.deepEqual(await place.control.read('unsynced_blobs').pluck('id'), [kept]);
    assert.deepEqual([erasure.wasUser, erasure.directory.reports, erasure.directory.teams], [true, 2, 1]);
    const users = await acme.users();
    assert.equal(users['ann@acme.test'], undefined);
    assert.deepEqual(
      [users['joann@acme.test']!.manager, users['bob@acme.test']!.custom],
      [null, { 'Employee ID': 'E-2' }],
    );
    assert.equal((users['joann@acme.test']!.custom as Record<string, string>).Buddy, 'joann@acme.test');
    assert.equal((await acme.teams()).Sales!.owner, 'owner@acme.test');
    for (const table of ['users', 'changes', 'former_emails', 'schedules_before', 'memberships', 'field_origins'])
      assert.deepEqual(findSecrets(Buffer.from(JSON.stringify(await place.directory.read(table)))), [], table);
    assert.deepEqual(findSecrets(Buffer.from(JSON.stringify(await place.control.read('orgs')))), []);
    const event = (await listAudit(place.control.read, 'acme')).at(-1)!;
    assert.deepEqual([event.action, event.subject], ['user.erased', `erasure ${erasure.receipt}`]);
    assert.doesNotMatch(JSON.stringify(event), new RegExp(`@|"user"|user ${id}`));
    // What others have is kept, in its form.
    const archived = await acme.read('/archive/2026-03-10/users.csv');
    const left = ['bob@acme.test,Bob,,,E-2,', 'joann@acme.test,Jo,,,E-3,joann@acme.test'];
    assert.equal(archived, csv(header, ...left));
  });

  test('asked for on two servers at once: the person is gone, under one receipt, and every file of others is whole', async (t) => {
    const { acme, place, blobs } = await begin(open, t);
    const other = { ...(await workplaceOn(t as never, acme.databases.settings)), now: () => acme.clock };
    // Both have searched for the person before either deletes them.
    let searched = 0;
    let go = () => {};
    const both = new Promise<void>((resolve) => {
      go = resolve;
    });
    const onStep = async (step: ErasureStep) => {
      if (step !== 'searched') return;
      if (++searched === 2) go();
      await both;
    };
    const erasures = await Promise.all(
      [place, other].map((one) => eraseUser(one, 'acme', 'ann@acme.test', { ...options, onStep })),
    );
    assert.deepEqual(await blobs(), []);
    assert.equal((await acme.users())['ann@acme.test'], undefined);
    const receipts = new Set(erasures.map(({ receipt }) => receipt));
    assert.equal(receipts.size, 1);
    const told = (await listAudit(place.control.read, 'acme')).filter(({ action }) => action === 'user.erased');
    assert.deepEqual(new Set(told.map(({ subject }) => subject)), new Set([`erasure ${[...receipts][0]}`]));
    const named: string[] = await place.control.read('entries').whereNotNull('blob_id').pluck('blob_id');
    for (const id of named) await (await openBlobOf(place.paths, id, () => place.identity(acme.org))).close();
    assert.deepEqual(await place.directory.read('pending_erasures').pluck('receipt'), []);
    await readmitUser(place, 'acme', 'ann@acme.test');
    assert.deepEqual(await listErased(place.directory.read, 'acme'), []);
  });

  /** Erases the person; `work` is done after the first search. */
  const eraseWhile = (place: Workplace, who: string, work: () => Promise<unknown>) =>
    eraseUser(place, 'acme', who, {
      ...options,
      onStep: async (step) => {
        if (step === 'searched') await work();
      },
    });

  test('a user whom an import makes during the search is erased, with the identifier that only the import knew', async (t) => {
    const acme = await Company.open(open, t, { options: { identifier: 'Employee ID' } });
    const place = await workplaceOn(t, acme.databases.settings);
    await acme.drop('/notes.txt', 'see ann@acme.test');
    await acme.drop('/more.csv', csv('Employee ID,Note', 'E-77001,mentioned'));
    const file = csv('User Email,Employee ID', 'ann@acme.test,E-77001', 'bob@acme.test,E-2');
    const erasure = await eraseWhile(place, 'ann@acme.test', () => acme.import({ 'users.csv': file }));
    assert.equal(erasure.wasUser, true);
    const emails = async () => Object.keys(await acme.users()).sort();
    assert.deepEqual(await emails(), ['bob@acme.test', 'owner@acme.test']);
    assert.doesNotMatch(await acme.read('/archive/2026-03-10/users.csv'), /ann@|E-77001/);
    assert.doesNotMatch(await acme.read('/archive/2026-03-10/more.csv'), /E-77001/);
    const again = await acme.import({ 'next.csv': csv('User Email,Employee ID', 'ann.b@acme.test,E-77001') });
    assert.deepEqual(await acme.codes(again), ['user_erased@2']);
    assert.deepEqual(await emails(), ['bob@acme.test', 'owner@acme.test']);
  });

  test('a user who gets another address during the search is erased under both', async (t) => {
    const acme = await Company.open(open, t, { options: { identifier: 'Employee ID' } });
    const place = await workplaceOn(t, acme.databases.settings);
    await acme.import({ 'users.csv': csv('User Email,Employee ID', 'ann@acme.test,E-1', 'bob@acme.test,E-2') });
    await acme.drop('/notes.txt', 'see ann.b@acme.test');
    const file = csv('User Email,Employee ID', 'ann.b@acme.test,E-1');
    await eraseWhile(place, 'ann@acme.test', () => acme.import({ 'next.csv': file }));
    assert.deepEqual(Object.keys(await acme.users()).sort(), ['bob@acme.test', 'owner@acme.test']);
    assert.equal(await acme.read('/notes.txt'), 'see (erased)');
    const again = await acme.import({ 'again.csv': csv('User Email,Employee ID', 'ann.b@acme.test,E-3') });
    assert.deepEqual(await acme.codes(again), ['user_erased@2']);
    assert.deepEqual(await place.directory.read('pending_erasures'), []);
    // An address that another user has by then.
    const users = csv('User Email,Employee ID', 'bob.b@acme.test,E-2', 'bob@acme.test,E-9');
    const moved = eraseWhile(place, 'bob@acme.test', () => acme.import({ 'moved.csv': users }));
    await assert.rejects(moved, { code: 'refused', message: /another user of acme was given this address/ });
  });

  test('of two admins who are erased at once one is left, and so is a user who became the owner meanwhile', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const rows = ['ann@acme.test,Yes', 'bob@acme.test,Yes', 'cyd@acme.test,No'];
    await acme.import({ 'users.csv': csv('User Email,Is Org Admin', ...rows) });
    await place.directory.write('users').where({ email_key: 'owner@acme.test' }).update({ is_admin: 0 });
    const admins = eraseWhile(place, 'ann@acme.test', () => eraseUser(place, 'acme', 'bob@acme.test', options));
    await assert.rejects(admins, { code: 'refused', message: /last active admin/ });
    assert.equal((await acme.users())['ann@acme.test']!.is_admin, 1);
    const owner = eraseWhile(place, 'cyd@acme.test', () =>
      setOrganization(place, 'acme', { ownerEmail: 'cyd@acme.test' }),
    );
    await assert.rejects(owner, { code: 'refused', message: /the owner of acme/ });
    assert.equal((await acme.users())['cyd@acme.test']!.is_admin, 1);
  });

  test('a user who becomes the owner at the end of the search is one again, and no erased person', async (t) => {
    const { acme, place } = await begin(open, t);
    // The owner is named before the erasure is committed.
    const directory = {
      ...place.directory,
      transact: (async (work) => {
        let setting: Promise<unknown> | null = null;
        const result = await place.directory.transact(async (tx) => {
          const erased = await work(tx);
          setting ??= setOrganization(place, 'acme', { ownerEmail: 'ann@acme.test' }, { createOwner: true });
          if (place.directory.dialect === 'postgres')
            await until(() => isLockAwaited(place.directory.read), 'the new owner waits');
          return erased;
        });
        await setting;
        return result;
      }) as Db['transact'],
    };
    await eraseUser({ ...place, directory }, 'acme', 'ann@acme.test', options);
    const { is_admin: isAdmin, status } = (await acme.users())['ann@acme.test']!;
    assert.deepEqual([isAdmin, status], [1, 'active']);
    const { erasureKey } = (await findOrg(place.control.read, 'acme'))!;
    const digest = digestErased(erasureKey!, 'acme', 'address', 'ann@acme.test');
    assert.equal(await findErased(place.directory.read, 'acme', digest), null);
  });

  test('a file that a run has in hand during the last search is searched after that, and so is one that comes with it', async (t) => {
    const { acme, place, blobs } = await begin(open, t);
    const late = csv('User Email', 'ann@acme.test');
    let next: 'running' | 'queued' | null = null;
    const transact: Db['transact'] = async (work) => {
      const uploads = () => place.control.write('uploads').where({ path: '/late.csv' });
      if (next === null) return place.control.transact(work);
      const [before] = await uploads().update({ state: next }).returning('blob_id');
      const result = await place.control.transact(work);
      await uploads().update({ state: 'queued' });
      if (next === 'running') next = 'queued';
      else if ((await uploads().first('blob_id')).blob_id !== before!.blob_id) {
        next = null;
        // As the report of a check.
        await acme.drop('/last.csv', late);
      }
      return result;
    };
    const onStep = async (step: ErasureStep) => {
      if (step !== 'deleted') return;
      await acme.drop('/late.csv', late);
      next = 'running';
    };
    const onServer = { ...place, control: { ...place.control, transact } };
    await eraseUser(onServer, 'acme', 'ann@acme.test', { ...options, onStep });
    assert.equal(next, null);
    assert.deepEqual(await blobs(), []);
  });

  test('U16 the next file is told, and creates the person again only after a yes', async (t) => {
    const { acme, place } = await begin(open, t);
    await eraseUser(place, 'acme', 'ann@acme.test', options);
    const rows = [
      ['ann.old@acme.test,,E-1', 'user_erased@2'],
      ['ann.new@acme.test,,E-77001', 'user_erased@3'],
      ['bob@acme.test,ann@acme.test,E-2', 'manager_erased@4'],
    ] as const;
    const file = csv('User Email,Manager Email,Employee ID', ...rows.map(([row]) => row));
    const told = await acme.import({
      'next.csv': file,
      'teams.csv': csv('Team Name,Owner Email', 'Ops,ann@acme.test'),
    });
    const at = (file: string) => told.files.findIndex(({ name }) => name === file);
    assert.deepEqual(await acme.codes(told, at('teams.csv')), ['owner_erased@2']);
    assert.deepEqual(
      await acme.codes(told, at('next.csv')),
      rows.map(([, code]) => code),
    );
    const emails = Object.keys(await acme.users()).sort();
    assert.deepEqual(emails, ['bob@acme.test', 'cyd@acme.test', 'dan@acme.test', 'joann@acme.test', 'owner@acme.test']);
    await assert.rejects(readmitUser(place, 'acme', 'dan@acme.test'), { code: 'not_found' });
    await readmitUser(place, 'acme', 'E-77001');
    assert.deepEqual(await listErased(place.directory.read, 'acme'), []);
    const again = await acme.import({ 'again.csv': file });
    assert.equal(again.users.faults, 0);
    assert.equal((await acme.users())['bob@acme.test']!.manager, 'ann@acme.test');
  });
});

test('names of files, records of runs and free text have the person no longer; others of the same name are kept', async (t) => {
  const { acme, place } = await begin(sqlite, t);
  await acme.import({
    'ann@acme.test.csv': csv(
      'User Email,User Name,Manager Email,Employee ID,Note',
      'ann@acme.test,,joann@acme.test,E-77001,',
      'eve@acme.test,Ann Leeuwenhoek,,E-8,"as ann  leeuwenhoek, and Joann Leeuwenhoek"',
    ),
  });
  await acme.drop('/from ann@acme.test/joann@acme.test.csv', 'x');
  await acme.drop('/from ann@acme.test/Ann_Leeuwenhoek (ANN@acme.test).csv', 'x');
  await acme.drop('/ann@acme.test.org.csv', 'x');
  const records = async () =>
    JSON.stringify([
      await place.control.read('runs').select('summary'),
      await place.control.read('uploads').select('path', 'archived_as'),
      await place.control.read('entries').select('dir', 'name'),
    ]);
  assert.match(await records(), /ring.*ann@acme\.test/, 'the warning about a ring names the person');
  const erasure = await eraseUser(place, 'acme', 'ann@acme.test', { ...options, texts: ['Ann Leeuwenhoek'] });
  assert.doesNotMatch((await records()).replaceAll('ann@acme.test.org', ''), /(?<!jo)ann@acme\.test|E-77001/i);
  const mark = `erased-${erasure.receipt}`;
  const summary = await acme.read('/reports/2026-03-10/run-4.summary.txt');
  assert.match(summary, new RegExp(`"?/${mark}\\.csv`));
  assert.doesNotMatch(summary, /(?<!jo)ann@acme\.test/);
  assert.equal(await acme.read(`/from ${mark}/joann@acme.test.csv`), 'x');
  assert.equal(await acme.read(`/from ${mark}/${mark} (${mark}).csv`), 'x');
  assert.equal(await acme.read('/ann@acme.test.org.csv'), 'x');
  assert.match(
    await acme.read(`/archive/2026-03-10/${mark}.csv`),
    /^eve@acme\.test,Ann Leeuwenhoek,,E-8,"as \(erased\), and Joann Leeuwenhoek"$/m,
  );
  const eve = (await acme.users())['eve@acme.test']!;
  assert.deepEqual(
    [eve.user_name, (eve.custom as Record<string, string>).Note],
    ['Ann Leeuwenhoek', 'as (erased), and Joann Leeuwenhoek'],
  );
  assert.ok(erasure.names.renamed >= 3 && erasure.names.runs >= 1, JSON.stringify(erasure.names));
});

const sqlite: Parameters<typeof Company.open>[0] = (scope) => openFresh(scope, 'sqlite');

test('no byte of the data folder has a value of the person, while a server has the databases open', async (t) => {
  const { acme, place } = await begin(sqlite, t);
  await setUser(place, 'acme', 'ann@acme.test', [{ label: 'User Name', value: 'Leeuwenhoek-Smith' }]);
  // The test's own connections read on, as a server's do.
  await acme.databases.directory.read('users');
  const bytes = () =>
    [...filesBelow(place.paths.data)]
      .filter((path) => !path.startsWith(place.paths.blobs))
      .flatMap((path) => findSecrets(readFileSync(path)).map((secret) => `${path} ${secret}`));
  assert.ok(bytes().length > 0, 'the search finds them');
  const erasure = await eraseUser(place, 'acme', 'ann@acme.test', options);
  assert.equal(erasure.isErased, true);
  assert.deepEqual(bytes(), []);
});

test('an erasure that was cut off at any step is finished by the next, which finds nothing after that', async (t) => {
  for (const cut of ['searched', 'deleted', 'searched again', 'recorded'] satisfies ErasureStep[]) {
    const { acme, place, blobs } = await begin(sqlite, t);
    const onStep = (step: ErasureStep) => {
      if (step === cut) throw new Error('cut off');
    };
    await assert.rejects(eraseUser(place, 'acme', 'ann@acme.test', { ...options, onStep }), /cut off/);
    const next = await eraseUser(place, 'acme', 'ann@acme.test', options);
    assert.deepEqual(await blobs(), [], cut);
    const again = await eraseUser(place, 'acme', 'ann@acme.test', options);
    assert.deepEqual([again.receipt, again.files.rewritten, again.directory.mentions], [next.receipt, 0, 0]);
    assert.equal((await acme.users())['ann@acme.test'], undefined);
    if (cut !== 'searched') continue;
    // An import that is undone does not bring the person back.
    const undone = await undoRunNow(place, '2', () => {}, new AbortController().signal);
    assert.equal(undone.state, 'done');
    assert.equal((await acme.users())['ann@acme.test'], undefined);
  }
});

test('who may not be erased, and what can not be searched', async (t) => {
  const { acme, place } = await begin(sqlite, t);
  await assert.rejects(eraseUser(place, 'acme', 'owner@acme.test', options), {
    code: 'refused',
    message: /the owner of acme/,
  });
  await assert.rejects(eraseUser(place, 'acme', 'nobody@acme.test', options), { code: 'not_found' });
  await assert.rejects(eraseUser(place, 'acme', 'ann', options), { code: 'usage' });
  await setUser(place, 'acme', 'ann@acme.test', [{ label: 'Is Org Admin', value: 'Yes' }]);
  await place.directory.write('users').where({ email_key: 'owner@acme.test' }).update({ is_admin: 0 });
  await assert.rejects(eraseUser(place, 'acme', 'ann@acme.test', options), {
    code: 'refused',
    message: /last active admin/,
  });
  await place.directory.write('users').where({ email_key: 'owner@acme.test' }).update({ is_admin: 1 });

  await acme.import({ 'book.xlsx': Buffer.from('PK\x03\x04 a workbook') });
  const kept = await eraseUser(place, 'acme', 'ann@acme.test', options);
  assert.deepEqual(kept.files.unsearched, ['/archive/2026-03-10/book.xlsx']);
  const removed = await eraseUser(place, 'acme', 'ann@acme.test', { ...options, removesUnsearched: true });
  assert.deepEqual([removed.files.removed, removed.files.unsearched], [1, []]);
  await assert.rejects(acme.read('/archive/2026-03-10/book.xlsx'));
  // An owner whom an operator names is readmitted.
  await updateOrg(place.control.write, 'acme', {});
  assert.equal((await findOrg(place.control.read, 'acme'))!.options.protected, undefined);
});
