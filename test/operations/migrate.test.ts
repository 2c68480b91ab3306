/** Parts of a move: both dialects describe the tables alike, a destination is read, and the settings file gets it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { listCommonTables } from '../../db/move/tables.js';
import { switchSettings } from '../../operations/move/switch.js';
import { nameDatabase, readDestination } from '../../operations/move/target.js';
import { openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';

test('both dialects describe every table alike, and every table has a key', async (t) => {
  const [sqlite, postgres] = [await openFresh(t, 'sqlite'), await openFresh(t, 'postgres')];
  for (const half of ['control', 'directory'] as const) {
    const tables = await listCommonTables(sqlite[half].read, postgres[half].read);
    assert.ok(tables.length > 5);
    assert.ok(tables.every(({ key }) => key.length > 0));
    assert.ok(tables.every(({ name }) => !['knex_migrations', 'moves', 'directory_key'].includes(name)));
  }
});

test('the settings file gets the new database; a variable is left to the operator', async (t) => {
  const data = temporaryFolder(t);
  const file = join(data, 'dropslot.json');
  const settings = settingsSchema.parse({ data, sealDirectory: 'on' });
  const destination = { given: 'file:/etc/url', settings, name: 'x' };
  const choice = { file: undefined, overrides: { data } };
  assert.equal((await switchSettings(choice, destination)).file, file);
  writeFileSync(file, '{"keepArchiveDays": 9, "sealDirectory": "on"}', { mode: 0o640 });
  assert.equal((await switchSettings(choice, destination)).file, file);
  const expected = { keepArchiveDays: 9, sealDirectory: 'volume', database: 'file:/etc/url' };
  assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), expected);
  assert.match(readFileSync(`${file}.before-move`, 'utf8'), /"on"/);
  const given = { file: undefined, overrides: { data, database: 'sqlite' } };
  const left = await switchSettings(given, { ...destination, settings: { ...settings, sealDirectory: 'off' } });
  assert.deepEqual(left, { file: null, settings: { database: 'file:/etc/url' }, origin: 'command line' });
});

test('refuses a password that everybody would see, and what is no database', () => {
  const settings = settingsSchema.parse({});
  for (const [to, message] of [
    ['postgres://ann:secret@localhost/x', /has a password, which everybody on this machine can see/],
    ['postgres://localhost/x?password=secret', /has a password/],
    ['mysql://localhost/x', /--to must be sqlite, a URL/],
    ['file:/nowhere/url', /--to: /],
    ['sqlite', /the settings name this database already/],
  ] as const)
    assert.throws(() => readDestination(to, settings), message, to);
});

test('a URL may name several servers, as fail-over needs it', () => {
  const settings = settingsSchema.parse({});
  const name = (to: string) => readDestination(to, settings).name;
  assert.equal(name('postgres://ann@a,b/drops'), 'the PostgreSQL database drops on a or b');
  assert.equal(
    name('postgres://ann@a:5432,[::1]:5433/drops?x=1'),
    'the PostgreSQL database drops on a:5432 or [::1]:5433',
  );
  assert.equal(
    nameDatabase({ database: 'postgres://a:1,b:2/', data: '' }),
    'the PostgreSQL database (default) on a:1 or b:2',
  );
  for (const [to, message] of [
    ['postgres://ann:secret@a:1,b:2/x', /has a password, which everybody on this machine can see/],
    ['postgres://a:1,b:2/x?password=secret', /has a password/],
    ['postgres://ann:secret@a:port,b/x', /--to is no URL: postgres:\/\/…@a:port,b\/x$/],
    ['postgres://,/x', /--to is no URL/],
  ] as const)
    assert.throws(() => readDestination(to, settings), message, to);
});
