/** Names of files: data is queued, a file with a temporary mark waits for its rename, everything else is stored. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { destinationOf, kindOfName, type NameOptions } from '../../storage/filename.js';

function kindsOf(names: readonly string[], options: NameOptions = {}): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => [name, kindOfName(name.startsWith('/') ? name : `/in/${name}`, options)]),
  );
}

function each(names: readonly string[], kind: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, kind]));
}

test('F0 data is data in any case, encrypted, compressed, and in a form that its refusal explains', () => {
  const data = [
    ...['users.csv', 'USERS.CSV', 'users.txt', 'teams.tsv', 'Users.Txt', 'a~b.csv', 'tmpusers.csv', 'Benutzer (1).csv'],
    ...[
      'users.part.csv',
      'users.temp.csv',
      'users-new.csv',
      'new.csv',
      'temp.csv',
      'upload.csv',
      'users_old.csv',
      '_users.csv',
      '名前.csv',
    ],
    ...['users.csv.pgp', 'users.csv.gpg', 'users.csv.asc', 'users.csv.gz', 'users.CSV.GZ.PGP', 'teams.txt.age'],
    ...[
      'users.xlsx',
      'users.xls',
      'users.ods',
      'users.zip',
      'users.json',
      'users.xml',
      'users.html',
      'users.htm',
      'users.pdf',
    ],
    ...['users.0123456789abcdef0123456789abcdef.csv', 'users-2026-03.csv', '/hr.new/users.csv', '/templates.csv'],
    ...['users.csv.', 'users.csv. ', 'users.csv ', 'users.csv...  .'], // Windows drops the end
    ...['temp.csv.gz', 'temp.csv.pgp', 'sha256.csv', 'users.md5.csv', '/temps/users.csv', '/hr.parts/users.csv'],
  ];
  assert.deepEqual(kindsOf(data), each(data, 'data'));
});

test('F0 an encrypted file is data, and so is a compressed one whose name says nothing else', () => {
  const stems = ['users', 'Users', 'HR_export-2026-11-29', 'users.2026-11-29', 'users.full', 'users.csv', 'teams.txt'];
  const encrypted = ['pgp', 'gpg', 'asc', 'PGP', 'Gpg'];
  const compressed = ['gz', 'zip', 'GZ'];
  const data = [
    ...stems.flatMap((stem) => encrypted.map((ending) => `${stem}.${ending}`)),
    ...stems.flatMap((stem) => compressed.map((ending) => `${stem}.${ending}`)),
    ...['users.gz.pgp', 'users.pgp.gz', 'users.zip.gpg', 'users.csv.gz.asc', 'users.dat.pgp', 'acme.users.gpg'],
  ];
  assert.deepEqual(kindsOf(data), each(data, 'data'));
  const unfinished = ['users.pgp.part', '.users.pgp', 'tmp.users.gpg', 'users.pgp-Ab12Cd', 'users.csv.tmp.pgp'];
  assert.deepEqual(kindsOf(unfinished), each(unfinished, 'unfinished'));
});

test('a mark of a file that is not finished is in its name, or in that of a folder', () => {
  const marks = [
    'part',
    'filepart',
    'partial',
    'tmp',
    'temp',
    'writing',
    'new',
    'inprogress',
    'in-progress',
    'incomplete',
  ];
  const more = ['uploading', 'upload', 'filetransfer', 'crdownload', 'swp', 'TMP', '_COPYING_', 'wip', 'pending'];
  const unfinished = [
    ...[...marks, ...more].map((mark) => `users.csv.${mark}`),
    ...[
      '.users.csv',
      '.in.users.csv',
      '.users.csv.Ab12Cd',
      '~users.csv',
      'users.csv~',
      'tmp.users.csv',
      'temp.users.csv',
      'tmp-users.csv',
      'TMP_users.csv',
    ],
    ...[
      'users.tmp.csv',
      'users_tmp.csv',
      'users-TMP.txt',
      'users.filepart.csv',
      'users.partial.csv',
      'users.writing.csv',
    ],
    ...['/.hidden/users.csv', '/in/.sftp-staging/users.csv', '/users.csv.tmp/part-1.csv', '/in/x.filepart/users.csv'],
    ...['users.csv.part ', 'users.tmp.'],
    ...['users.tmp.csv.gz', 'users_tmp.csv.pgp', 'users.partial.csv.zip', 'users.csv.part.gz', 'temp.users.csv.gz.pgp'],
    ...['/tmp.Ab12Cd/users.csv', '/tmp-1/users.csv', '/users.csv.part/1.csv', '/x.in-progress/users.csv'],
    ...['users.csv.0123456789abcdef0123456789ABCDEF', 'users.csv-Ab12Cd', 'users.csv.pgp-Ab12Cd', 'a.csv.1a2b.partial'],
    ...[
      '/tmp/users.csv',
      '/hr/temp/users.csv',
      '/hr/_temporary/0/users.csv',
      '/.~tmp~/users.csv',
      '/.Trash-1000/files/a.csv',
    ],
  ];
  assert.deepEqual(kindsOf(unfinished), each(unfinished, 'unfinished'));
});

test('everything else is stored: files beside the data, and names without an extension', () => {
  const digests = [
    'users.csv.md5.txt',
    'users.csv.sha256sum',
    'users.csv.SHA384',
    'users.crc',
    'users.csv.ready',
    'a.fin',
  ];
  assert.deepEqual(kindsOf(digests, { importPatterns: ['*'] }), each(digests, 'other'));
  const beside = ['bak', 'old', 'done', 'ok', 'ctl', 'md5', 'sha256', 'lock', 'OLD', 'sig'].map(
    (mark) => `users.csv.${mark}`,
  );
  const other = [
    ...beside,
    ...[
      'users',
      'users.2026',
      'users.dat',
      'users.csv.20260301',
      'photo.jpg',
      'run.sh',
      'csv',
      '.csv.bak',
      'pgp',
      'users.tar.gz',
      'photo.jpg.gz',
      'users.csv.bak.pgp',
      'users.csv.sig.asc',
    ],
    ...['.DS_Store', '._users.csv', '~$users.xlsx', '.~lock.users.csv#', 'Thumbs.db', '#users.csv#', '.csv.md5'],
  ];
  assert.deepEqual(kindsOf(other), each(other, 'other'));
});

test('an organization allows names without an extension, and patterns', () => {
  const bare = ['users', 'users.20260301', 'users.2026-03-01', 'users.pgp', 'HR_export'];
  assert.deepEqual(kindsOf(bare, { importWithoutExtension: true }), each(bare, 'data'));
  assert.equal(kindOfName('/users.dat', { importWithoutExtension: true }), 'other');
  const options = { importPatterns: ['*.dat', '/hr/export-*', 'Users.*', '?x'] };
  const allowed = ['users.dat', 'USERS.DAT', '/hr/export-7', 'users.20260301', 'users.csv.backup2', 'ax'];
  assert.deepEqual(kindsOf(allowed, options), each(allowed, 'data'));
  const others = ['/hr/deep/export-7', '/export-7', 'abx', 'users'];
  assert.deepEqual(kindsOf(others, options), each(others, 'other'));
});

test('a pattern imports a temporary name only if it has the mark itself; own temporary names come first', () => {
  assert.equal(kindOfName('/users.csv.filepart', { importPatterns: ['users.*'] }), 'unfinished');
  assert.equal(kindOfName('/users.csv.md5', { importPatterns: ['*'] }), 'other');
  assert.equal(kindOfName('/users.csv.new', { importPatterns: ['*.new'] }), 'data');
  assert.equal(kindOfName('/temp/users.csv', { importPatterns: ['/temp/*'] }), 'data');
  assert.equal(kindOfName('/temp/users.csv', { importPatterns: ['*.csv'] }), 'unfinished');
  const own = { temporaryNames: ['wip-*', '*.inwork', 'staging/', '/hr/raw/'], importPatterns: ['*.inwork'] };
  const unfinished = [
    'wip-users.csv',
    'WIP-users.csv',
    'users.csv.inwork',
    '/a/staging/b/users.csv',
    '/hr/raw/x/users.csv',
  ];
  assert.deepEqual(kindsOf(unfinished, own), each(unfinished, 'unfinished'));
  const data = ['users-wip-.csv', '/staging.csv', '/x/hr/raw/users.csv', 'staging.csv'];
  assert.deepEqual(kindsOf(data, own), each(data, 'data'));
});

test('below /dry-run any finished name is checked', () => {
  const cases = {
    'users.dat': 'dry_run',
    users: 'dry_run',
    'tmp/users.csv': 'dry_run',
    'users.csv.part': 'stored',
    'x.bak': 'stored',
  };
  for (const [name, state] of Object.entries(cases)) assert.equal(destinationOf(`/dry-run/${name}`, {}), state, name);
  assert.equal(destinationOf('/dry-run/wip-users.csv', { temporaryNames: ['wip-*'] }), 'stored');
  assert.equal(destinationOf('/users.dat', {}), 'stored');
});

test('a pattern with many stars takes no long time', () => {
  const began = performance.now();
  assert.equal(kindOfName(`/${'a'.repeat(250)}`, { importPatterns: [`${'*a'.repeat(100)}b`] }), 'other');
  assert.ok(performance.now() - began < 500);
});
