/**
 * Moves of an installation that works: a server takes files and imports them, the move is killed at each step, and repeated. Every
 * file that got OK is imported once, by one of the two databases.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { moveSteps } from '../../operations/move/move.js';
import { createDatabase } from '../support/databases.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, expectKilled, runDropslot, startServe } from '../support/program.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const env = { DROPSLOT_LEASE_SECONDS: '1' };

interface Bench {
  data: string;
  url: string;
  privateKey: string;
  /** Numbers of the files that got OK; each creates one user. */
  sent: number[];
  next: number;
}

async function prepare(scope: Scope): Promise<Bench> {
  const data = temporaryFolder(scope);
  const key = newKeyPair();
  const publicKey = join(data, 'login.pub');
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  await askDropslot(['orgs', 'set', 'acme', 'maxCreations=100000'], { data });
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  const url = join(data, 'url');
  writeFileSync(url, await createDatabase(scope), { mode: 0o600 });
  return { data, url: `file:${url}`, privateKey: key.private, sent: [], next: 0 };
}

/** Uploads files until the server ends or `isOver`; ever more slowly, so that a slow machine has not thousands of files to import at the end. */
async function send(bench: Bench, port: number, isOver: () => boolean): Promise<void> {
  const client = new SftpClient();
  client.on('error', () => {});
  try {
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey: bench.privateKey });
    for (let pauseMs = 50; !isOver(); pauseMs += 25) {
      const n = bench.next++;
      await client.put(Buffer.from(`User Email\nu${n}@acme.test\n`), `/u${n}.csv`);
      bench.sent.push(n);
      await sleep(pauseMs);
    }
  } catch {
    // The server refuses writes, or has ended.
  }
  await client.end().catch(() => {});
}

async function moveAndDie({ data, url }: Bench, step: string, isBack: boolean): Promise<void> {
  const postgres = readFileSync(url.replace('file:', ''), 'utf8');
  const args = isBack ? [data, postgres, 'sqlite', step] : [data, 'sqlite', url, step];
  await expectKilled('migrate.child', import.meta.url, args, step);
}

test('killed at each step, there and back, beside a server that takes files: each is imported once', async (t) => {
  const bench = await prepare(t);
  for (const [round, step] of moveSteps.entries()) {
    const isBack = round % 2 === 1;
    const server = await startServe(t, { data: bench.data, env });
    let isOver = false;
    const sending = send(bench, server.port, () => isOver);
    await sleep(500);
    await moveAndDie(bench, step, isBack);
    const moved = await runDropslot(['migrate', '--to', isBack ? 'sqlite' : bench.url, '--yes'], { data: bench.data });
    assert.equal(moved.code, 0, `${step}: ${moved.stderr}`);
    await Promise.race([server.exited, sleep(60_000, null, { ref: false })]);
    isOver = true;
    await sending;
    assert.equal(await server.stop('SIGKILL'), 5, 'the server has ended by itself');
    const proof = await runDropslot(['audit', 'verify'], { data: bench.data });
    assert.equal(proof.code, 0, proof.stdout);
  }
  // With the usual lease: a slow machine would lose a short one in the middle of the import.
  const server = await startServe(t, { data: bench.data });
  const imported = await runDropslot(['import', 'acme'], { data: bench.data, timeoutMs: 600_000 });
  assert.equal(imported.code, 0, imported.stderr);
  await server.stop();
  const users = await askDropslot<{ email: string }[]>(['users', 'list', 'acme'], { data: bench.data });
  const emails = new Set(users.map(({ email }) => email));
  const lost = bench.sent.filter((n) => !emails.has(`u${n}@acme.test`));
  assert.deepEqual(lost, []);
  assert.ok(bench.sent.length > moveSteps.length);
  const runs = await askDropslot<{ summary: { users: { created: number } } | null }[]>(['runs', 'list', 'acme'], {
    data: bench.data,
  });
  const created = runs.reduce((sum, { summary }) => sum + (summary?.users.created ?? 0), 0);
  assert.equal(created, users.length - 1, 'the owner is no import');
});
