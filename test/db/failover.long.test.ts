/** A PostgreSQL server that fails over to its standby: what was committed is there, and the nodes find the new primary. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import { openControl, openDirectory } from '../../db/connection.js';
import { examineDatabaseServer } from '../../operations/doctor/databaseserver.js';
import { followCluster, lacksCluster, startCluster } from '../support/cluster.js';
import { Company, csv } from '../support/company.js';
import { startTcpProxy } from '../support/tcpproxy.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

async function openOn(t: Scope, database: string) {
  const settings = settingsSchema.parse({ data: temporaryFolder(t), database, databasePool: 4 });
  const control = await openControl(settings);
  const directory = await openDirectory(settings);
  t.after(async () => {
    await control.close();
    await directory.close();
  });
  return { settings, control, directory };
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

for (const way of ['two servers in the URL', 'the address of a proxy'] as const)
  test(`fail-over with ${way}: no upload that was answered is lost`, { skip: lacksCluster }, async (t) => {
    const synchronous = ['synchronous_commit=remote_apply', 'synchronous_standby_names=*'];
    // Without the names the first commits would wait for a standby that is not there.
    const primary = await startCluster(t);
    const standby = await followCluster(t, primary);
    await primary.shutDown();
    await primary.restart();
    const proxy = await startTcpProxy(t, primary.port);
    const url =
      way === 'the address of a proxy'
        ? proxy.through(primary.url)
        : `postgres://postgres@127.0.0.1:${primary.port},127.0.0.1:${standby.port}/postgres`;
    const databases = await openOn(t, url);
    for (const setting of synchronous) {
      const [name, value] = setting.split('=');
      await databases.control.write.raw(`ALTER SYSTEM SET ${name} = '${value}'`);
    }
    await databases.control.write.raw('SELECT pg_reload_conf()');
    const acme = await Company.join(databases);
    assert.deepEqual(
      (await examineDatabaseServer(databases)).map(({ level }) => level),
      ['ok'],
    );
    for (let n = 0; n < 20; n++) await acme.drop(`/before${n}.csv`, csv('User Email', `before${n}@acme.test`));
    await primary.kill();
    await standby.promote();
    await connectedTo(standby.url);
    proxy.cut();
    proxy.target(standby.port);
    proxy.mend();
    await untilDone(() => acme.drop('/after.csv', csv('User Email', 'after@acme.test')));
    const summary = await untilDone(() => acme.import());
    assert.equal(summary.files.length, 21, 'each acknowledged file was replicated, and is imported once');
    assert.equal(summary.users.created, 21);
  });

/** The standby waits for one itself, as it has the settings of its primary: an operator's tool takes that back. */
async function connectedTo(url: string): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client(url);
  await client.connect();
  await client.query("ALTER SYSTEM SET synchronous_standby_names = ''");
  await client.query('SELECT pg_reload_conf()');
  await client.end();
}
