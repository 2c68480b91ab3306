/** The URL of the database from a file, a descriptor and a credential, and the ways in which that can fail. */
import assert from 'node:assert/strict';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadSettings } from '../../config/load.js';
import { listServerSettings } from '../../operations/settings.js';
import { temporaryFolder } from '../support/temporary.js';

const url = 'postgres://dropslot:hidden@db.test/dropslot';

function place(t: TestContext): { file: string; credentials: string } {
  const credentials = temporaryFolder(t);
  const file = join(credentials, 'url');
  writeFileSync(file, `${url}\n`);
  return { file, credentials };
}

test('the URL of the database comes from its source', (t) => {
  const { file, credentials } = place(t);
  const load = (database: string) => loadSettings({ env: {}, overrides: { database, credentials } }).database;
  assert.equal(load(`file:${file}`), url);
  assert.equal(load('credential:url'), url);
  assert.equal(load(`fd:${openSync(file, 'r')}`), url);
  assert.equal(load(url), url);
  assert.equal(load('sqlite'), 'sqlite');
  const systemd = { CREDENTIALS_DIRECTORY: credentials, DROPSLOT_DATABASE: 'credential:url' };
  assert.equal(loadSettings({ env: systemd }).database, url);
});

test('a command that reads its settings again has the URL that its descriptor gave', (t) => {
  const { file } = place(t);
  const database = `fd:${openSync(file, 'r')}`;
  const sources = { env: {}, overrides: { database }, descriptors: new Map() };
  for (let time = 0; time < 2; time++) assert.equal(loadSettings(sources).database, url);
  assert.throws(() => loadSettings({ ...sources, descriptors: new Map() }), /it can be read only once/);
});

test('`config show` shows the source, and the arguments of no program', (t) => {
  const { file } = place(t);
  const choice = { file: undefined, overrides: { database: `file:${file}`, masterKey: 'exec:/bin/kms --pin 1234' } };
  const shown = Object.fromEntries(listServerSettings(choice).map(({ name, value }) => [name, value]));
  assert.deepEqual([shown.database, shown.masterKey], [`file:${file}`, 'exec:/bin/kms …']);
});

test('a source that gives no URL: the message says which, and never its content', (t) => {
  const { file, credentials } = place(t);
  writeFileSync(file, 'hidden\n');
  mkdirSync(join(credentials, 'folder'));
  for (const [database, message] of [
    [`file:${file}`, /setting database: .*url must contain a URL that begins with postgres:\/\/, and nothing else/],
    ['file:/nowhere', /setting database: \/nowhere can't be read: there is no such file/],
    ['credential:folder', /setting database: credential:folder can't be read: it is a folder/],
    ['fd:199', /setting database: fd:199 can't be read: no such descriptor is open/],
    ['hidden', /setting database must be sqlite, a URL .*, or the source of one: file:PATH, fd:N/],
  ] as const)
    assert.throws(
      () => loadSettings({ env: {}, overrides: { database, credentials } }),
      (error: Error) => message.test(error.message) && !error.message.includes('hidden'),
      database,
    );
  assert.throws(() => loadSettings({ env: {}, overrides: { database: 'credential:url' } }), /LoadCredential=/);
});
