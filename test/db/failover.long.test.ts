/** A PostgreSQL server that fails over to its standby: what was committed is there, and the nodes find the new primary. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { listQueue } from '../../db/control/uploads.js';
import { examineDatabaseServer } from '../../operations/doctor/databaseserver.js';
import {
  askServer,
  type Cluster,
  followCluster,
  holdStandby,
  lacksVersion,
  promoteStandby,
  startCluster,
} from '../support/cluster.js';
import { Company, csv } from '../support/company.js';
import { openBoth } from '../support/databases.js';
import { until } from '../support/session.js';
import { startTcpProxy } from '../support/tcpproxy.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

async function openOn(t: Scope, database: string) {
  const settings = settingsSchema.parse({ data: temporaryFolder(t), database, databasePool: 4 });
  return openBoth(t, settings);
}

/** Repeats what a client or an importer repeats. */
async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** A machine with other work is slow. */
const patienceMs = 300_000;

/** Two servers, of which the second must have each commit before it is answered. */
async function startPair(t: Scope, version: number): Promise<{ primary: Cluster; standby: Cluster }> {
  const primary = await startCluster(t, [], version);
  // Without the names the first commits would wait for a standby that is not there.
  const standby = await followCluster(t, primary);
  await askServer(primary.url, "ALTER SYSTEM SET synchronous_commit = 'remote_apply'");
  await askServer(primary.url, "ALTER SYSTEM SET synchronous_standby_names = '*'");
  await askServer(primary.url, 'SELECT pg_reload_conf()');
  return { primary, standby };
}

/** The standby waits for one itself, as it has the settings of its primary: an operator takes that back. */
async function promote(standby: Cluster): Promise<void> {
  await promoteStandby(standby);
  await askServer(standby.url, "ALTER SYSTEM SET synchronous_standby_names = ''");
  await askServer(standby.url, 'SELECT pg_reload_conf()');
}

const bothIn = (primary: Cluster, standby: Cluster) =>
  `postgres://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;

for (const [version, way] of [
  [15, 'two servers in the URL'],
  [15, 'the address of a proxy'],
  [16, 'two servers in the URL'],
  [17, 'two servers in the URL'],
  [18, 'two servers in the URL'],
] as const)
  test(`fail-over of PostgreSQL ${version} with ${way}: no upload that was answered is lost`, {
    skip: lacksVersion(version),
  }, async (t) => {
    const { primary, standby } = await startPair(t, version);
    const proxy = await startTcpProxy(t, primary.port);
    const url = way === 'the address of a proxy' ? proxy.through(primary.url) : bothIn(primary, standby);
    const databases = await openOn(t, url);
    const acme = await Company.join(databases);
    await until(
      async () => (await examineDatabaseServer(databases)).every(({ level }) => level === 'ok'),
      'all is well',
      patienceMs,
    );
    for (let n = 0; n < 20; n++) await acme.drop(`/before${n}.csv`, csv('User Email', `before${n}@acme.test`));
    await primary.kill();
    await promote(standby);
    proxy.cut();
    proxy.target(standby.port);
    proxy.mend();
    await untilDone(() => acme.drop('/after.csv', csv('User Email', 'after@acme.test')));
    const summary = await untilDone(() => acme.import());
    assert.equal(summary.files.length, 21, 'each acknowledged file was replicated, and is imported once');
    assert.equal(summary.users.created, 21);
  });

for (const version of [15, 16, 17, 18])
  test(`PostgreSQL ${version} fails over while its standby stands still: no upload gets an OK that the standby lacks`, {
    skip: lacksVersion(version),
  }, async (t) => {
    const { primary, standby } = await startPair(t, version);
    const databases = await openOn(t, bothIn(primary, standby));
    const acme = await Company.join(databases);
    const answered: string[] = [];
    let isOver = false;
    const send = async (client: number) => {
      for (let n = 0; !isOver; n++) {
        const path = `/client${client}-${n}.csv`;
        await acme.drop(path, csv('User Email', `client${client}-${n}@acme.test`));
        answered.push(path);
      }
    };
    const clients = Promise.allSettled([1, 2, 3, 4].map(send));
    await until(() => answered.length >= 20, 'uploads are answered while the standby runs', patienceMs);
    await holdStandby(standby, async ({ end }) => {
      const before = answered.length;
      const isWaiting = async () =>
        (await askServer(primary.url, "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'")).length > 0;
      await until(async () => answered.length > before + 20 || (await isWaiting()), 'a commit waits', patienceMs);
      isOver = true;
      await primary.kill();
      end();
    });
    await promote(standby);
    await clients;
    await untilDone(() => acme.drop('/after.csv', csv('User Email', 'after@acme.test')));
    const there = new Set((await listQueue(databases.control.read, 'acme')).map(({ path }) => path));
    assert.deepEqual(
      answered.filter((path) => !there.has(path)),
      [],
    );
    assert.equal(databases.control.mark!.lost, null);
    const { files, users } = await acme.import();
    assert.deepEqual([files.length, users.created], [there.size, there.size], 'each is imported once');
  });
