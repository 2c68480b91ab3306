/** A standby that each commit waits for stands still: no upload is answered, the node says why, and goes on with the standby. */
import assert from 'node:assert/strict';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { watchCommits } from '../../app/commitwatch.js';
import { createMetrics } from '../../app/monitor/metrics.js';
import { createSilentLogger } from '../../config/logger.js';
import { settingsSchema } from '../../config/settings.js';
import { openControl } from '../../db/connection.js';
import { insertOrg } from '../../db/control/orgs.js';
import { listQueue } from '../../db/control/uploads.js';
import { isAnswerLost } from '../../db/error.js';
import { askServer, lacksCluster } from '../support/cluster.js';
import { openIntake } from '../support/intake.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, startServe } from '../support/program.js';
import { sampleOrg } from '../support/samples.js';
import { until } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';
import { ReplicatedDatabase } from './databases.js';

interface Readiness {
  ready: boolean;
  reasons: string[];
}

test('the log, /readyz, status and doctor say that commits wait for a standby, and the upload is answered in the end', {
  skip: lacksCluster,
}, async (t) => {
  const database = await ReplicatedDatabase.start(t);
  const data = temporaryFolder(t);
  const options = { data, env: { DROPSLOT_DATABASE: database.url('postgres'), DROPSLOT_MONITOR: '127.0.0.1:0' } };
  const ask = <Answer>(...args: string[]) => askDropslot<Answer>(args, options);
  await ask('orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable');
  const key = newKeyPair();
  const file = join(data, 'acme.pub');
  writeFileSync(file, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  await ask('keys', 'add', 'acme', file);
  const server = await startServe(t, { ...options });
  const { port } = server.log.find(({ message }) => message === 'answering monitors')!;
  const readiness = async () => (await (await fetch(`http://127.0.0.1:${port}/readyz`)).json()) as Readiness;
  const client = new SftpClient();
  await client.connect({ host: '127.0.0.1', port: server.port, username: 'acme', privateKey: key.private });
  await client.put(Buffer.from('User Email\nbea@acme.test\n'), '/before.csv');
  let isAnswered = false;
  let putting: Promise<unknown> = Promise.resolve();
  await database.whileStandbyStandsStill(async () => {
    putting = client.put(Buffer.from('User Email\nann@acme.test\n'), '/users.csv').then(() => {
      isAnswered = true;
    });
    putting.catch(() => {});
    const line = await server.waitForLog(({ message }) => message.startsWith('commits wait for a standby'));
    assert.match(String(line.reason), /waits? for a standby of PostgreSQL, for \d+ s: no upload is answered/);
    const { ready, reasons } = await readiness();
    assert.equal(ready, false);
    assert.match(reasons.join(), /for a standby of PostgreSQL/);
    const { commitWait } = await ask<{ commitWait: { commits: number; waitedMs: number } }>('status');
    assert.ok(commitWait.commits > 0 && commitWait.waitedMs >= 3_000);
    const { code, stdout } = await runDropslot(['doctor', '--json'], { ...options, timeoutMs: 60_000 });
    assert.equal(code, 1, 'it ends, though it has an event to write');
    assert.match(stdout, /for a standby of PostgreSQL/);
    assert.equal(isAnswered, false);
  });
  await putting;
  await server.waitForLog(({ message }) => message.startsWith('commits wait for no standby any more'));
  await until(async () => (await readiness()).ready, 'the node is ready again');
  await client.end();
  const { whole } = await ask<{ whole: boolean }>('doctor');
  assert.equal(whole, true);
  const lines = server.log.filter(({ message }) => message.startsWith('commits wait'));
  assert.equal(lines.length, 2, 'one line at the beginning, one at the end');
  assert.equal(await server.stop(), 0);
});

test('a COMMIT whose wait is cancelled counts as one whose answer is lost: the CLOSE waits for the standby again', {
  skip: lacksCluster,
}, async (t) => {
  const database = await ReplicatedDatabase.start(t);
  const settings = settingsSchema.parse({ data: temporaryFolder(t), database: database.url('postgres') });
  const control = await openControl(settings);
  t.after(() => control.close());
  const place = await openIntake(t, { control, settings });
  const waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  const untilWaiting = (what: string) =>
    until(async () => (await askServer(database.primary.url, `SELECT pid ${waiting}`)).length > 0, what);
  const cancel = () => askServer(database.primary.url, `SELECT pg_cancel_backend(pid) ${waiting}`);
  let isAnswered = false;
  let putting: Promise<unknown> = Promise.resolve();
  await database.whileStandbyStandsStill(async (goOn) => {
    putting = place.put('/users.csv', 'User Email\n').then(() => {
      isAnswered = true;
    });
    putting.catch(() => {});
    await untilWaiting('the CLOSE waits');
    await cancel();
    await untilWaiting('it waits again');
    assert.equal(isAnswered, false);
    goOn();
    await putting;
  });
  assert.deepEqual(
    (await listQueue(control.read, 'acme')).map(({ path }) => path),
    ['/users.csv'],
  );
  await database.whileStandbyStandsStill(async () => {
    const adding = control.transact((tx) => insertOrg(tx, sampleOrg('other'))).catch((error: unknown) => error);
    await untilWaiting('a COMMIT waits');
    await cancel();
    assert.ok(isAnswerLost(await adding));
  });
});

test('doctor --mend does not wait for a lost standby without an end, and the metrics have the commits that wait', {
  skip: lacksCluster,
}, async (t) => {
  const database = await ReplicatedDatabase.start(t);
  const settings = settingsSchema.parse({ data: temporaryFolder(t), database: database.url('postgres') });
  const place = await workplaceOn(t, settings);
  await place.makeMaster();
  const { masterKey } = place.paths;
  chmodSync(masterKey, 0o644);
  const watch = watchCommits(place.control, createSilentLogger(), 100);
  t.after(() => watch.stop());
  const metrics = createMetrics({
    workplace: place,
    version: '',
    countConnections: () => 0,
    findCommitWait: watch.wait,
  });
  t.after(() => metrics.stop());
  const waiting = async () =>
    [...(await metrics.render()).matchAll(/^dropslot_commits_waiting\w* (\S+)$/gm)].map(([, value]) => Number(value));
  assert.deepEqual(await waiting(), [0, 0]);
  const mend = async () => {
    const findings = await examine(settings, { mayMend: async () => true });
    return findings.find(({ check, mend }) => check === 'master_key' && mend !== undefined)!;
  };
  let adding: Promise<unknown> = Promise.resolve();
  await database.whileStandbyStandsStill(async () => {
    const { level, message } = await mend();
    assert.equal(level, 'wrong');
    assert.match(message, /not mended: commits wait for a standby of PostgreSQL, which does not confirm them/);
    assert.equal(statSync(masterKey).mode & 0o777, 0o644);
    const stuck = await askServer(
      database.primary.url,
      "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
    );
    assert.deepEqual(stuck, [], 'it leaves no commit behind that waits');
    adding = place.control.transact((tx) => insertOrg(tx, sampleOrg('acme')));
    await until(() => watch.wait() !== null, 'the watch sees the commit that waits');
    const [commits, seconds] = await waiting();
    assert.equal(commits, 1);
    assert.ok(seconds! >= 3);
  });
  await adding;
  await until(() => watch.wait() === null, 'no commit waits any more');
  assert.deepEqual(await waiting(), [0, 0]);
  assert.equal((await mend()).level, 'mended');
  assert.equal(statSync(masterKey).mode & 0o777, 0o600);
});
