/** The built program: what client and operator did is in the audit trail, which proves itself, also to an outsider. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import sqlite3 from 'sqlite3';
import SftpClient from 'ssh2-sftp-client';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

interface Shown {
  seq: number;
  org: string | null;
  actor: string;
  action: string;
  subject: string;
  detail: Record<string, unknown>;
}

/** The program that docs/audit.md gives to outsiders. */
function outsidersProgram(): string {
  const manual = readFileSync(new URL('../../docs/audit.md', import.meta.url), 'utf8');
  return /```python\n(.*?)```/s.exec(manual)![1]!;
}

function execute(file: string, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const database = new sqlite3.Database(file);
    database.exec(sql, (error) => database.close(() => (error === null ? resolve() : reject(error))));
  });
}

test('a day in the audit trail', async (t) => {
  const data = temporaryFolder(t);
  const elsewhere = temporaryFolder(t);
  const key = newKeyPair();
  const publicKey = join(elsewhere, 'login.pub');
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  const lines = join(elsewhere, 'trail.jsonl');
  const server = await startServe(t, { data, env: { DROPSLOT_AUDIT_LOG: lines } });
  const client = new SftpClient();
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
  await client.put(Buffer.from('User Email\nann@acme.test\n'), '/users.csv');
  assert.equal((await client.get('/users.csv')).toString(), 'User Email\nann@acme.test\n');
  await client.rename('/users.csv', '/Zürich "alt".csv');
  await client.delete('/Zürich "alt".csv');
  await client.end();
  const head = (await runDropslot(['audit', 'head'], { data })).stdout.trim();
  assert.match(head, /^[0-9a-f]{64}@\d+$/);
  assert.equal(await server.stop(), 0);

  const shown = await askDropslot<Shown[]>(['audit', 'show', '--since', '2026-01-01'], { data });
  const who = `key:${key.public.fingerprint}`;
  const ofClient = shown.filter(({ actor }) => actor === who);
  assert.deepEqual(
    ofClient.map(({ action, subject }) => `${action} ${subject}`),
    [
      'login.accepted acme',
      'upload.closed /users.csv',
      'file.read /users.csv',
      'file.renamed /Zürich "alt".csv',
      'upload.withdrawn /Zürich "alt".csv',
    ],
  );
  assert.ok(ofClient.every(({ detail }) => detail.address === '127.0.0.1' && detail.client !== undefined));
  const others = shown.filter(({ actor }) => actor !== who).map(({ action }) => action);
  for (const action of ['org.added', 'key.added', 'server.started', 'server.stopped'])
    assert.ok(others.includes(action), action);

  // The lines for the collector are the export.
  const exported = join(elsewhere, 'export.jsonl');
  assert.equal((await runDropslot(['audit', 'export', '--out', exported], { data })).code, 0);
  const records = readFileSync(exported, 'utf8').split('\n');
  await until(() => readFileSync(lines, 'utf8').split('\n').length >= records.length - 1, 'the lines', 30_000);
  for (const [index, line] of readFileSync(lines, 'utf8').split('\n').slice(0, -1).entries())
    assert.equal(line, records[index]);

  const verified = await runDropslot(['audit', 'verify', '--expect', head], { data });
  assert.equal(verified.code, 0, verified.stderr);
  const now = (await runDropslot(['audit', 'head'], { data })).stdout.trim();
  const whole = records.slice(0, -1);
  assert.ok(whole.every((line) => line.startsWith('{"schema":1,"seq":')));
  // The first lines as a version without `schema` wrote them.
  const mixed = join(elsewhere, 'mixed.jsonl');
  const older = whole.map((line, index) => (index < 5 ? line.replace('"schema":1,', '') : line));
  writeFileSync(mixed, `${older.join('\n')}\n`);
  for (const file of [exported, mixed]) {
    const outsider = spawnSync('python3', ['-c', outsidersProgram(), file], { encoding: 'utf8' });
    if (outsider.error !== undefined) t.diagnostic('SKIPPED: no python3 here for the program of the manual');
    else assert.equal(outsider.stdout.trim(), now, outsider.stderr);
  }

  await execute(join(data, 'control.db'), "UPDATE audit SET subject = '/other.csv' WHERE action = 'file.read'");
  const broken = await runDropslot(['audit', 'verify'], { data });
  assert.equal(broken.code, 1);
  assert.match(broken.stdout, /record \d+: it, or the one before it, was changed/);
});
