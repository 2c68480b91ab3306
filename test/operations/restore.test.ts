/** Restores: only whole backups whose databases fit, only into folders without data, and again after a kill. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openWorkplace } from '../../app/compose.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { generateIdentityOf } from '../../keys/master/master.js';
import { describeAdvance } from '../../operations/advance.js';
import { backUp } from '../../operations/backup/backup.js';
import { type RestoreOptions, restore } from '../../operations/backup/restore.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

async function openBackup(t: TestContext) {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const place = await workplaceOn(t, acme.databases.settings);
  await loadOrCreateHostKeys(place.paths.hostKeys);
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  const folder = join(temporaryFolder(t), 'backup');
  const back = () => backUp(place, folder, { includeKeys: false, pgDump: 'pg_dump', onProgress: () => {} });
  await back();
  const data = join(temporaryFolder(t), 'data');
  const into = (options: Partial<RestoreOptions> = {}, from = folder) =>
    restore({ file: undefined, overrides: { data } }, openWorkplace, from, {
      masterKey: place.paths.masterKey,
      onProgress: () => {},
      ...options,
    });
  return { acme, place, folder, back, data, into };
}

test('restores databases, files, keys and settings with private modes, and records it', async (t) => {
  const { folder, data, into } = await openBackup(t);
  writeFileSync(join(folder, 'dropslot.json'), '{"keepArchiveDays": 9}');
  for (const path of ['control.db', 'blobs', 'backup.json']) chmodSync(join(folder, path), 0o755); // as a copy may have them
  const report = await into();
  assert.deepEqual([report.masterKey, report.isCompared, report.wrong], ['present', true, []]);
  assert.equal(report.settings.keepArchiveDays, 9);
  assert.deepEqual(
    readdirSync(data)
      .filter((name) => !/\.lock$|\.mark$/.test(name))
      .sort(),
    ['blobs', 'control.db', 'directory.db', 'dropslot.json', 'keys'],
  );
  for (const [path, mode] of [
    ['.', 0o700],
    ['blobs', 0o700],
    ['control.db', 0o600],
    ['directory.db', 0o600],
    ['dropslot.json', 0o600],
    ['keys/master.key', 0o600],
    ['keys/host/ssh_host_ed25519_key', 0o600],
  ] as const)
    assert.equal(statSync(join(data, path)).mode & 0o777, mode, path);
  const place = await openWorkplace(report.settings);
  t.after(() => place.close());
  const recorded = await place.control.read('audit').where({ action: 'backup.restored' }).first('subject', 'actor');
  assert.deepEqual([recorded.subject, recorded.actor], [folder, place.actor]);
});

test('refuses a folder with data, and changes nothing in it', async (t) => {
  const { data, into } = await openBackup(t);
  for (const taken of ['control.db', 'keys/host', 'notes.txt']) {
    mkdirSync(join(data, taken, '..'), { recursive: true });
    writeFileSync(join(data, taken), 'mine');
    await assert.rejects(into(), new RegExp(`has data already \\(${taken}\\), which a restore never replaces`));
    assert.equal(readFileSync(join(data, taken), 'utf8'), 'mine');
    rmSync(data, { recursive: true });
  }
});

test('refuses a backup that is incomplete, cut, damaged or none, and leaves no folder', async (t) => {
  const { place, folder, data, into } = await openBackup(t);
  const spoilt = (spoil: (copy: string) => void): string => {
    const copy = join(temporaryFolder(t), 'copy');
    cpSync(folder, copy, { recursive: true, preserveTimestamps: true });
    spoil(copy);
    return copy;
  };
  const blobs = (copy: string) => join(copy, 'blobs');
  const cases: [spoil: (copy: string) => void, reason: RegExp][] = [
    [(copy) => writeFileSync(join(copy, 'INCOMPLETE'), ''), /is not complete: restore another one/],
    [(copy) => rmSync(join(copy, 'backup.json')), /is no backup of Dropslot/],
    [
      (copy) => rmSync(join(blobs(copy), readdirSync(blobs(copy))[0]!), { recursive: true }),
      /has \d+ of its \d+ sealed files/,
    ],
    [(copy) => rmSync(join(copy, 'directory.db')), /the backup lacks .*directory\.db/],
    [(copy) => writeFileSync(join(copy, 'control.db'), 'x'.repeat(9000)), /can't be opened|is damaged/],
  ];
  for (const [spoil, reason] of cases) {
    await assert.rejects(into({}, spoilt(spoil)), reason);
    assert.ok(!existsSync(data), String(reason));
  }
  await assert.rejects(into({ masterKey: `${place.paths.masterKey}.none` }), /there is no file/);
  const parent = join(folder, '..');
  cpSync(folder, join(parent, '2026-01-31T03-00-00Z'), { recursive: true });
  await assert.rejects(into({}, parent), /has several backups: name one; the newest is .*2026-01-31T03-00-00Z/);
});

test('refuses databases of two backups, and a master key that opens nothing', async (t) => {
  const { acme, folder, back, data, into } = await openBackup(t);
  const older = join(temporaryFolder(t), 'directory.db');
  cpSync(join(folder, 'directory.db'), older);
  await acme.import({ 'more.csv': csv('User Email', 'bob@acme.test') });
  await back();
  cpSync(older, join(folder, 'directory.db'));
  await assert.rejects(into(), /do not fit, nothing was restored: the directory database is older/);
  await back();
  const other = join(temporaryFolder(t), 'other.key');
  writeFileSync(other, `${await generateIdentityOf('x25519')}\n`);
  await assert.rejects(into({ masterKey: other }), /does not open/);
  assert.ok(!existsSync(data));
});

test('an interrupted restore: no server starts on its folder, and the same restore continues', async (t) => {
  const { place, folder, data, into } = await openBackup(t);
  mkdirSync(join(data, 'blobs'), { recursive: true });
  writeFileSync(join(data, 'RESTORING'), `${folder}\n`);
  const settings = { ...place.settings, data };
  await assert.rejects(openWorkplace(settings, { create: true }), /is being restored .* repeat "dropslot restore"/);
  const copy = join(temporaryFolder(t), 'copy');
  cpSync(folder, copy, { recursive: true });
  await assert.rejects(into({}, copy), /has an interrupted restore of .*: repeat that/);
  assert.equal((await into()).isCompared, true);
  assert.ok(!existsSync(join(data, 'RESTORING')));
});

test('a restore that fails while it copies says whether anything is left, and whether it continues', async (t) => {
  const { folder, data, into } = await openBackup(t);
  const [name] = (readdirSync(join(folder, 'blobs'), { recursive: true }) as string[]).filter((path) =>
    path.includes('/'),
  );
  const blob = join(folder, 'blobs', name!);
  const content = readFileSync(blob);
  rmSync(blob);
  mkdirSync(blob); // can't be copied as a file
  const said: string[] = [];
  const fail = () => assert.rejects(into({ onProgress: (news) => said.push(describeAdvance(news)) }));
  await fail();
  assert.deepEqual([said.at(-1), existsSync(data)], [`nothing was restored: ${data} is as it was`, false]);
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'RESTORING'), `${folder}\n`);
  await fail();
  assert.equal(said.at(-1), `the restore is not complete: repeat the command to continue it, or remove ${data}`);
  rmSync(blob, { recursive: true });
  writeFileSync(blob, content);
  assert.equal((await into()).isCompared, true);
});

test('a file that an interrupted restore copied before the backup had it anew is copied again', async (t) => {
  const { folder, data, into } = await openBackup(t);
  const [name] = (readdirSync(join(folder, 'blobs'), { recursive: true }) as string[]).filter((path) =>
    path.includes('/'),
  );
  const [from, to] = [join(folder, 'blobs', name!), join(data, 'blobs', name!)];
  mkdirSync(join(to, '..'), { recursive: true });
  writeFileSync(join(data, 'RESTORING'), `${folder}\n`);
  // As before a rotation of the identity, which writes a header of the same length.
  writeFileSync(to, 'x'.repeat(statSync(from).size));
  utimesSync(to, 1_000, 1_000);
  await into();
  assert.deepEqual(readFileSync(to), readFileSync(from));
});

test('without the master key the files are restored, and the report says that it is missing', async (t) => {
  const { into } = await openBackup(t);
  assert.equal((await into({ masterKey: undefined })).masterKey, 'missing');
});
