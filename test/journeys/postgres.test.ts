/** The built program on PostgreSQL (the server of TEST_POSTGRES_URL): the same commands, and several servers at once. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createDatabase } from '../support/databases.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

test('first start, commands beside it, a second server on the same database, the end', async (t) => {
  const data = temporaryFolder(t);
  const options = { data, env: { DROPSLOT_DATABASE: await createDatabase(t) } };
  const first = await startServe(t, options);
  const second = await startServe(t, options);
  const added = await runDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], options);
  assert.equal(added.code, 0, added.stderr);
  assert.ok(!existsSync(join(data, 'control.db')));
  const users = await askDropslot<{ email: string }[]>(['users', 'list', 'acme'], options);
  assert.deepEqual(
    users.map((user) => user.email),
    ['jane@acme.test'],
  );
  assert.equal((await askDropslot<{ whole: boolean }>(['doctor'], options)).whole, true);
  assert.deepEqual(await Promise.all([first.stop(), second.stop()]), [0, 0]);
});

test('a database that can not be reached, in one line that hides its password', async (t) => {
  const env = { DROPSLOT_DATABASE: 'postgres://someone:secret@127.0.0.1:1/dropslot' };
  const ran = await runDropslot(['orgs', 'list'], { data: temporaryFolder(t), env });
  assert.equal(ran.code, 5);
  assert.match(ran.stderr, /^dropslot: the PostgreSQL database can't be opened: [^\n]+\n$/);
  assert.ok(!ran.stderr.includes('secret'));
});
