/** An HR system whose export went wrong, and the operator who sees to it: mended rows, a held run, its rejection, an undo. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import type { RunSummary } from '../../importer/types.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

interface Run {
  id: number;
  state: string;
  summary: RunSummary;
}

const names = Array.from({ length: 12 }, (_, n) => `u${n}@acme.test`);

test('rejected rows come back mended, a wrong export is held, a run is taken back', async (t) => {
  const data = temporaryFolder(t);
  const key = newKeyPair();
  const publicKey = join(data, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  const ask = <T>(...args: string[]) => askDropslot<T>(args, { data });
  const run = (...args: string[]) => runDropslot(args, { data });
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  await ask('keys', 'add', 'acme', publicKey);
  await ask('orgs', 'set', 'acme', 'identifier=Employee ID', 'earlyCheck=no');
  await ask('orgs', 'set', 'acme', 'aliases=Work Email=user email; Boss=Manager Email', 'encoding=windows-1252');
  assert.match(
    (await run('orgs', 'set', 'acme', 'aliases=Work Email=Mail')).stderr,
    /aliases must be column names, each with =/,
  );
  assert.equal((await run('orgs', 'set', 'acme', 'aliases=Boss=Manager; boss=User Name')).code, 2);
  const nowhere = await run('check', 'acme', join(data, 'no.csv'));
  assert.deepEqual([nowhere.code, /does not exist/.test(nowhere.stderr)], [3, true]);
  const [mine, list] = [join(data, 'mine.csv'), join(data, 'list.csv')];
  writeFileSync(mine, 'Work Email,User Name\nzoe@acme.test,Zoë\n', 'latin1');
  assert.match((await run('check', 'acme', mine)).stdout, /For a list of the changes .* add --changes changes\.csv/);
  assert.match((await run('check', 'acme', mine, '--changes', list)).stdout, /Changes, one by one: .*list\.csv/);
  assert.match(
    readFileSync(list, 'utf8'),
    /^\ufeffwho,.*\r\nzoe@acme\.test,\(created\),,User Name: Zoë,user,mine\.csv,2\r\n$/,
  );
  assert.equal((await run('check', 'acme', mine, '--changes', mine)).code, 2);
  const shown = (await run('orgs', 'show', 'acme')).stdout;
  assert.match(shown, /Work Email=User Email; Boss=Manager Email[\s\S]*windows-1252/);
  const server = await startServe(t, { data });
  const client = new SftpClient();
  client.on('error', () => {});
  t.after(() => client.end().then(() => {}));
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
  const put = (name: string, ...lines: string[]) => client.put(Buffer.from(`${lines.join('\n')}\n`), name);

  const rows = names.map((name, n) => `${n === 3 ? name.replace('@', ' at ') : name},Zoë ${n},${n}`);
  const text = ['Work Email,User Name,Employee ID', ...rows].join('\n');
  await client.put(Buffer.from(text, 'latin1'), '/users.csv');
  const first = await ask<RunSummary>('import', 'acme');
  assert.deepEqual([first.users.created, first.users.faults], [11, 1]);
  const rejected = (await client.get(first.files[0]!.rejected!)).toString();
  await put('/users.rejected.csv', rejected.replace(' at ', '@'));
  assert.equal((await ask<RunSummary>('import', 'acme')).users.created, 1);
  const { changes } = await ask<{ changes: { field: string; after: string }[] }>('users', 'show', 'acme', names[2]!);
  assert.deepEqual(JSON.parse(changes.find(({ field }) => field === '')!.after).custom, { 'Employee ID': '2' });
  assert.match((await run('users', 'show', 'acme', names[2]!)).stdout, /Zoë 2/);
  assert.match((await run('users', 'show', 'acme', names[3]!)).stdout, /Zoë 3/, 'rejected rows are UTF-8, and say so');

  await put(
    '/users.csv',
    'User Email,Employee ID,Deactivation Date',
    ...names.map((name, n) => `${name},${n},2020-01-31`),
  );
  const held = await run('import', 'acme');
  assert.equal(held.code, 4);
  assert.match(held.stdout, /HELD: nothing is applied[\s\S]*would deactivate 12 of 13 active users/);
  const [latest] = await ask<Run[]>('runs', 'list', 'acme');
  const again = await run('import', 'acme');
  assert.match(again.stderr, new RegExp(`run ${latest!.id} of acme is held and must be decided first`));
  assert.match((await run('orgs', 'show', 'acme')).stdout, /Held run/);
  assert.match((await run('doctor')).stdout, /is held since/);
  const heldId = String(latest!.id);
  assert.match((await run('runs', 'list', 'acme')).stdout, / held .* planned: 12 updated \(12 of them to be/);
  assert.match((await run('runs', 'show', heldId)).stdout, new RegExp(`dropslot runs show ${heldId} --changes`));
  const whom = (await run('runs', 'show', heldId, '--changes', '--limit', '2')).stdout;
  assert.match(
    whom,
    /is held\. It would make \d+ changes:\n\nFILE +LINE +WHAT.*\n\/users\.csv +2 +user +u0@acme\.test +Deactivation Date/,
  );
  assert.match(whom, /… and 10 more: --limit 12 or --json shows all/);
  const planned = await ask<{ total: number; changes: { what: string; after: string }[] }>(
    ...['runs', 'show', heldId, '--changes'],
  );
  assert.deepEqual([planned.total, planned.changes.length, planned.changes[0]!.after], [12, 12, '2020-01-31']);
  assert.equal((await run('runs', 'show', heldId, '--limit', '2')).code, 2);
  for (const verb of ['approve', 'reject']) {
    const unconfirmed = await run('runs', verb, String(latest!.id));
    assert.deepEqual([unconfirmed.code, /there is no terminal .* --yes/.test(unconfirmed.stderr)], [4, true]);
  }
  assert.equal((await run('runs', 'reject', String(latest!.id), '--note', 'a wrong export', '--yes')).code, 0);

  assert.match((await run('runs', 'list', 'acme')).stdout, / rejected .* not applied +not applied\n/);
  const asJson = await run('users', 'export', 'acme', '--json');
  assert.deepEqual([asJson.code, asJson.stdout, /an export is CSV/.test(asJson.stderr)], [2, '', true]);

  await put(
    '/users.csv',
    'User Email,Employee ID',
    'new0@acme.test,0',
    ...names.slice(1).map((name, n) => `${name},${n + 1}`),
  );
  const renamed = await ask<RunSummary>('import', 'acme');
  assert.deepEqual([renamed.state, renamed.users.updated], ['applied', 1]);
  const story = await run('users', 'show', 'acme', 'new0@acme.test');
  assert.match(story.stdout, new RegExp(`User Email: new0@acme.test  \\(.*run ${renamed.run}, /users.csv, line 2\\)`));
  const count = (await ask<Run[]>('runs', 'list', 'acme')).length;
  const preview = await run('runs', 'undo', String(renamed.run), '--dry-run');
  assert.match(preview.stdout, /^user +\S+ +User Email +\S+ +new0@acme\.test +restore$/m);
  assert.match(preview.stdout, /The changes of run \d+ would be undone\.\n.*\nNothing was applied\.\n$/s);
  const foreseen = await ask<RunSummary & { values: { column: string }[] }>(
    ...['runs', 'undo', String(renamed.run), '--dry-run'],
  );
  assert.deepEqual([foreseen.state, foreseen.values.map(({ column }) => column)], ['planned', ['User Email']]);
  assert.equal((await ask<Run[]>('runs', 'list', 'acme')).length, count);
  for (const verb of ['undo', 'approve', 'reject']) {
    const mistaken = await run('runs', verb, String(renamed.run), '--org', 'beta');
    assert.deepEqual(
      [mistaken.code, /belongs to acme, not to beta: nothing was done/.test(mistaken.stderr)],
      [4, true],
    );
  }
  const undone = await ask<RunSummary>('runs', 'undo', String(renamed.run), '--org', 'acme', '--yes');
  assert.deepEqual([undone.kind, undone.users.updated, undone.undo!.kept], ['undo', 1, 0]);
  assert.equal((await run('users', 'show', 'acme', names[0]!)).code, 0);
  assert.equal((await run('users', 'show', 'acme', 'new0@acme.test')).code, 3);
});
