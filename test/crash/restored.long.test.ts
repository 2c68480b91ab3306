/**
 * The built program on databases of two moments, as a wrong restore leaves them: killed in the middle of uploads and imports,
 * each database taken from another kill. Nothing is imported, uploads are accepted; on databases that fit everything is imported once.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { settingsSchema } from '../../config/settings.js';
import { openControl, openDirectory } from '../../db/connection.js';
import { openManualRun } from '../../db/control/runs.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, type Served, startServe } from '../support/program.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { sequence } from './matrix.js';

/** `TEST_RESTORED_ROUNDS` runs more of them. */
const rounds = Number(process.env.TEST_RESTORED_ROUNDS ?? 1);
/** Before each kill, where one round is enough. */
const mostFiles = rounds === 1 ? 25 : Number.POSITIVE_INFINITY;
const env = { DROPSLOT_LEASE_SECONDS: '1' };

type Half = 'control' | 'directory';
const halves: readonly Half[] = ['control', 'directory'];

interface Bench {
  data: string;
  privateKey: string;
  /** Numbers of the files that got OK; each creates one user. */
  sent: number;
}

async function prepare(scope: Scope): Promise<Bench> {
  const data = temporaryFolder(scope);
  const key = newKeyPair();
  const publicKey = join(data, 'login.pub');
  const add = ['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'];
  await askDropslot(add, { data });
  await askDropslot(['orgs', 'set', 'acme', 'maxCreations=100000'], { data });
  writeFileSync(publicKey, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await askDropslot(['keys', 'add', 'acme', publicKey], { data });
  return { data, privateKey: key.private, sent: 0 };
}

/** Uploads files until `isOver`. */
async function send(bench: Bench, server: Served, isOver: (sent: number) => boolean): Promise<void> {
  const client = new SftpClient();
  client.on('error', () => {});
  const host = { host: '127.0.0.1', port: server.port, username: 'acme', privateKey: bench.privateKey };
  await client.connect(host);
  for (let sent = 0; !isOver(sent); sent++) {
    const n = bench.sent;
    await client.put(Buffer.from(`User Email\nu${n}@acme.test\n`), `/u${n}.csv`);
    bench.sent++;
  }
  await client.end().catch(() => {});
}

/** Serves, takes files and imports them, until it is killed at some moment after its first import. */
async function workAndKill(scope: Scope, bench: Bench, afterMs: number): Promise<void> {
  const server = await startServe(scope, { data: bench.data, env });
  let isOver = false;
  const sending = send(bench, server, (sent) => isOver || sent === mostFiles).catch(() => {});
  const opening = openRuns(bench.data, () => isOver);
  await server.waitForLog(({ message }) => message === 'run done');
  await sleep(afterMs);
  await server.stop('SIGKILL');
  isOver = true;
  await Promise.all([sending, opening]);
}

/** At least one. */
async function openRuns(data: string, isOver: () => boolean): Promise<void> {
  const control = await openControl(settingsSchema.parse({ data }));
  do {
    await openManualRun(control.write, 'acme', Date.now());
    await sleep(40);
  } while (!isOver());
  await control.close();
}

const filesOf = (half: Half) => ['', '-wal', '-shm'].map((side) => `${half}.db${side}`);

function copy(half: Half, from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of filesOf(half)) {
    rmSync(join(to, name), { force: true });
    if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name));
  }
}

async function emailsOf(data: string): Promise<string[]> {
  const directory = await openDirectory(settingsSchema.parse({ data }));
  const emails: string[] = await directory.read('users').orderBy('email').pluck('email');
  await directory.close();
  return emails;
}

/** How many users the runs have created, by their summaries. */
async function countCreated(data: string): Promise<number> {
  const control = await openControl(settingsSchema.parse({ data }));
  const summaries: string[] = await control.read('runs').whereNotNull('summary').pluck('summary');
  await control.close();
  return summaries.reduce((sum, summary) => sum + JSON.parse(summary).users.created, 0);
}

test(`databases of two moments (${rounds} rounds): nothing is imported until they fit, then each file once`, async (t) => {
  const random = sequence(20261129);
  for (let round = 0; round < rounds; round++) {
    const bench = await prepare(t);
    const { data } = bench;
    const kept = temporaryFolder(t);
    for (const moment of ['first', 'second']) {
      await workAndKill(t, bench, random() * 200);
      for (const half of halves) copy(half, data, join(kept, moment));
    }
    const acknowledged = bench.sent;
    for (const older of rounds === 1 ? halves.slice(0, 1) : halves) {
      for (const half of halves) copy(half, join(kept, half === older ? 'first' : 'second'), data);
      const before = await emailsOf(data);
      const server = await startServe(t, { data, env });
      const told = await server.waitForLog(({ message }) => message === 'the databases are not whole');
      assert.match(String(told.reason), new RegExp(`the ${older} database (is older|has lost)`));
      await send({ ...bench, sent: 90_000 }, server, (sent) => sent === 2);
      await openRuns(data, () => true);
      await server.waitForLog(({ message }) => message.startsWith('a fault of the machine interrupted a run'));
      const ran = await runDropslot(['import', 'acme'], { data });
      assert.equal(ran.code === 0, false);
      assert.match(ran.stderr, new RegExp(`the ${older} database is older than the`));
      assert.deepEqual(await emailsOf(data), before, 'nothing is imported');
      await server.stop('SIGKILL');
    }

    for (const half of halves) copy(half, join(kept, 'second'), data);
    const accepted = await askDropslot<{ lostUploads: number }>(['databases', 'accept', '--yes'], { data });
    assert.ok(accepted.lostUploads >= 2, 'those that came while the databases did not fit');
    const server = await startServe(t, { data, env });
    const imported = await runDropslot(['import', 'acme'], { data });
    assert.equal(imported.code, 0, imported.stderr);
    const wanted = Array.from({ length: acknowledged }, (_, n) => `u${n}@acme.test`);
    const found = (await emailsOf(data)).filter((email) => email.startsWith('u'));
    // A kill can leave one file that was published, and whose answer did not arrive.
    assert.deepEqual(
      wanted.filter((email) => !found.includes(email)),
      [],
    );
    assert.equal(await countCreated(data), found.length, 'each once');
    assert.equal(await server.stop(), 0);
    const doctor = await runDropslot(['doctor', '--deep'], { data });
    assert.equal(doctor.code, 0, doctor.stdout);
    t.diagnostic(`${acknowledged} files`);
  }
});
