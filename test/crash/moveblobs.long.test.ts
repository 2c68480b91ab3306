/**
 * Moves of the sealed files into an object store and back, beside a server that takes files and imports them: the move is killed at each
 * step, and repeated. Every file that got OK is imported once, and every file of the tree can be read in the new place.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { blobMoveSteps } from '../../operations/move/blobs.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, expectKilled, runDropslot, startServe } from '../support/program.js';
import { missingSwift, type Swift, startSwift } from '../support/swift.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const env = { DROPSLOT_LEASE_SECONDS: '1' };
/** Generous: a loaded machine. */
const timeoutMs = 300_000;
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);

interface Bench {
  data: string;
  store: string;
  file: string;
  privateKey: string;
  /** Numbers of the files that got OK; each creates one user. */
  sent: number[];
  next: number;
}

async function prepare(scope: Scope, prefix: string): Promise<Bench> {
  const data = temporaryFolder(scope);
  const file = join(data, 'dropslot.json');
  const { blobs: store, ...settings } = swift.settings(prefix);
  const key = newKeyPair();
  const publicKey = join(data, 'login.pub');
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  writeFileSync(file, JSON.stringify(settings));
  await askDropslot(['orgs', 'set', 'acme', 'maxCreations=100000'], { data });
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  return { data, store: String(store), file, privateKey: key.private, sent: [], next: 0 };
}

/** Few in a round: each of them is copied in each later one. */
const mostFiles = 4;

/** Uploads files until the server ends, there are enough, or `isOver`. */
async function send(bench: Bench, port: number, isOver: () => boolean): Promise<void> {
  const last = bench.next + mostFiles;
  const client = new SftpClient();
  client.on('error', () => {});
  try {
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey: bench.privateKey });
    while (!isOver() && bench.next < last) {
      const n = bench.next++;
      await client.put(Buffer.from(`User Email\nu${n}@acme.test\n`), `/u${n}.csv`);
      bench.sent.push(n);
      if (bench.next === last - 1) await sleep(3000);
    }
  } catch {
    // The server refuses the file, or has ended.
  }
  await client.end().catch(() => {});
}

async function moveAndDie({ data, file }: Bench, to: string, step: string): Promise<void> {
  const settings = JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), data });
  await expectKilled('moveblobs.child', import.meta.url, [settings, to, step], step);
}

/** Both directions for each step: a place that was used before has files of then. */
test('killed at each step, there and back, beside a server that takes files', { skip: missingSwift }, async (t) => {
  const bench = await prepare(t, 'moves');
  const steps = [...blobMoveSteps, ...blobMoveSteps.slice(1)];
  for (const [round, step] of steps.entries()) {
    const to = round % 2 === 0 ? bench.store : 'folder';
    const server = await startServe(t, { data: bench.data, env });
    let isOver = false;
    const sending = send(bench, server.port, () => isOver);
    const before = bench.sent.length;
    for (let tries = 0; tries < 2000 && bench.sent.length < before + 2; tries++) await sleep(20);
    await moveAndDie(bench, to, step);
    const moved = await runDropslot(['migrate', '--blobs', to, '--yes'], { data: bench.data, timeoutMs });
    assert.equal(moved.code, 0, `${step}: ${moved.stderr}`);
    assert.equal(JSON.parse(readFileSync(bench.file, 'utf8')).blobs, to);
    const code = await Promise.race([server.exited, sleep(timeoutMs, null, { ref: false })]);
    assert.notEqual(code, null, `${step}: the server has ended by itself`);
    isOver = true;
    await sending;
    // The new place has all: the old one is gone.
    if (to === bench.store) rmSync(join(bench.data, 'blobs'), { recursive: true, force: true });
    if (round < steps.length - 2) continue;
    const doctor = await runDropslot(['doctor', '--deep'], { data: bench.data, timeoutMs });
    assert.doesNotMatch(doctor.stdout, /missing|damaged/, `${step}: ${doctor.stdout}`);
  }
  const server = await startServe(t, { data: bench.data, env });
  const imported = await runDropslot(['import', 'acme'], { data: bench.data });
  assert.equal(imported.code, 0, imported.stderr);
  await server.stop();
  const users = await askDropslot<{ email: string }[]>(['users', 'list', 'acme'], { data: bench.data });
  const emails = new Set(users.map(({ email }) => email));
  assert.deepEqual(
    bench.sent.filter((n) => !emails.has(`u${n}@acme.test`)),
    [],
  );
  const runs = await askDropslot<{ summary: { users: { created: number } } | null }[]>(['runs', 'list', 'acme'], {
    data: bench.data,
  });
  const created = runs.reduce((sum, { summary }) => sum + (summary?.users.created ?? 0), 0);
  assert.equal(created, users.length - 1, 'the owner is no import');
});
