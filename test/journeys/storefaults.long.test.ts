/** An object store (OpenStack Swift) that hangs, trickles or throttles: what its sender is told, and what another customer notices. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { loadSettings } from '../../config/load.js';
import { pathsOf } from '../../config/paths.js';
import { openControl } from '../../db/connection.js';
import { sweepOrphans } from '../../storage/orphans.js';
import { openStore } from '../../storage/s3/openstore.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot, type RunOptions, runDropslot, type Served, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import {
  missingSwift,
  type Passing,
  type StoreProxy,
  type Swift,
  startStoreProxy,
  startSwift,
  type Trouble,
  variablesOf,
} from '../support/swift.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const options = { skip: missingSwift };
const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);
const mebibyte = 1024 ** 2;
let prefixes = 0;

interface Place {
  run: RunOptions;
  server: Served;
  proxy: StoreProxy;
  /** Default: this server. */
  login(org: string, at?: Served): Promise<SftpClient>;
}

/** A server on SQLite whose files are in Swift, with the customers acme and globex. */
async function serve(scope: Scope, retrySeconds = 3): Promise<Place> {
  const proxy = await startStoreProxy(scope, swift);
  const store = swift.settings(`faults-${prefixes++}`, { endpoint: proxy.endpoint });
  const env = { ...variablesOf(store), DROPSLOT_BLOB_RETRY_SECONDS: String(retrySeconds) };
  const run = { data: temporaryFolder(scope), env };
  const key = newKeyPair();
  const file = join(run.data, 'login.pub');
  writeFileSync(file, `${key.public.algorithm} ${key.public.publicKey} test\n`);
  for (const org of ['acme', 'globex']) {
    await askDropslot(['orgs', 'add', org, '--owner', `jane@${org}.test`, '--enable'], run);
    await askDropslot(['keys', 'add', org, file], run);
  }
  const server = await startServe(scope, run);
  const login = async (username: string, { port } = server) => {
    const client = new SftpClient();
    client.on('error', () => {});
    await client.connect({ host: '127.0.0.1', port, username, privateKey: key.private });
    scope.after(() => client.end().catch(() => {}) as Promise<void>);
    return client;
  };
  // The first write of a process asks the store for its abilities.
  const first = await login('globex');
  await first.put(Buffer.from('User Email\n'), '/first.csv');
  await first.end();
  return { run, server, proxy, login };
}

async function timed<T>(work: Promise<T>): Promise<{ ms: number; error: Error | null }> {
  const begun = performance.now();
  const error = await work.then(
    () => null,
    (cause: Error) => cause,
  );
  return { ms: performance.now() - begun, error };
}

function used({ pid }: Served): { megabytes: number; files: number } {
  const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return { megabytes: Number(resident) / 1024, files: readdirSync(`/proc/${pid}/fd`).length };
}

const spools = ({ run }: Place) => {
  const folder = join(run.data, 'partials');
  return existsSync(folder) ? readdirSync(folder) : [];
};

const paths = async ({ run }: Place, org: string) =>
  (await askDropslot<{ path: string }[]>(['queue', org], run)).map(({ path }) => path);

const slowDown = { status: 503, name: 'SlowDown' };
/** The retries are for 3 s; a request is silent for 10 s, or trickles for 60 s, before it counts as failed, and its remains are removed. */
const cases: [name: string, trouble: Trouble, mostMs: number][] = [
  ['hangs', 'hang', 60_000],
  ['throttles', slowDown, 30_000],
  ['trickles', 'trickle', 150_000],
];
for (const [name, trouble, mostMs] of cases)
  test(`a store that ${name}: its sender is told, and the neighbour works`, options, async (t) => {
    const place = await serve(t);
    const { proxy, server, login } = place;
    const acme = await login('acme');
    const before = used(server);
    proxy.trouble = () => trouble;
    const large = timed(acme.put(Buffer.alloc(12 * mebibyte, 'x'), '/large.csv'));
    const many = Array.from({ length: 40 }, (_, at) =>
      timed(acme.put(Buffer.from(`User Email\n${at}\n`), `/${at}.csv`)),
    );
    const sent = Promise.all([large, ...many]);
    await sleep(2_000);
    const visit = await timed(
      login('globex').then(async (client) => {
        assert.deepEqual((await client.list('/')).filter(({ name }) => name === 'first.csv').length, 1);
        await client.mkdir('/in');
      }),
    );
    assert.equal(visit.error, null);
    assert.ok(visit.ms < 15_000, `login, listing and a new folder took ${visit.ms} ms`);
    const told = await sent;
    const slowest = Math.max(...told.map(({ ms }) => ms));
    const during = used(server);
    t.diagnostic(`${name}: visit ${visit.ms} ms, slowest failure ${slowest} ms, ${JSON.stringify({ before, during })}`);
    assert.ok(told.every(({ error }) => error !== null));
    assert.ok(slowest < mostMs, `${slowest} ms`);
    assert.ok(during.megabytes < before.megabytes + 150 && during.files < before.files + 100, JSON.stringify(during));
    proxy.trouble = null;
    assert.deepEqual(await paths(place, 'acme'), []);
    // The server's own files, which it writes again once the store answers.
    await until(() => spools(place).length === 0, 'no upload is left on the disk', 90_000);
    await acme.put(Buffer.from('User Email\n'), '/next.csv');
    assert.deepEqual(await paths(place, 'acme'), ['/next.csv']);
    assert.equal(await server.stop(), 0);
  });

interface Hanging {
  what: string;
  bytes: number;
  files: number;
  /** Lanes that one customer gets. */
  lanes: number;
  /** Only requests of acme, by their size. */
  hangs(passing: Passing): boolean;
}

const hangings: Hanging[] = [
  {
    ...{ what: 'small files', bytes: 5_000, files: 60, lanes: 24 },
    hangs: ({ action, headers }) => action === 'PutObject' && Number(headers['content-length']) > 4_000,
  },
  { ...{ what: 'parts', bytes: 6 * mebibyte, files: 6, lanes: 3 }, hangs: ({ action }) => action === 'UploadPart' },
];
for (const { what, bytes, files, lanes, hangs } of hangings)
  test(`${what} of one customer hang: uploads of another one do not wait for them`, options, async (t) => {
    const { proxy, login } = await serve(t, 15);
    const [acme, globex] = [await login('acme'), await login('globex')];
    proxy.trouble = (passing) => (hangs(passing) ? 'hang' : 'pass');
    let failed = 0;
    const held = Array.from({ length: files }, async (_, at) => {
      const told = await timed(acme.put(Buffer.alloc(bytes, 'x'), `/${at}.csv`));
      failed++;
      return told;
    });
    await until(() => proxy.seen.filter(hangs).length >= lanes, 'acme has all lanes that it gets', 60_000);
    await globex.put(Buffer.from('User Email\n'), '/users.csv');
    assert.equal(failed, 0, 'it was sent while all of these hang');
    const told = await Promise.all(held);
    const slowest = Math.max(...told.map(({ ms }) => ms));
    t.diagnostic(`slowest failure ${slowest} ms`);
    assert.ok(told.every(({ error }) => error !== null));
    assert.ok(slowest < 120_000, `${slowest} ms`);
  });

/** Places for reads that one customer gets. */
const readPlaces = 12;
for (const how of ['hang', 'trickle'] as const)
  test(
    `downloads of one customer ${how}: another one is served, and those that leave free their places`,
    options,
    async (t) => {
      const { proxy, server, login } = await serve(t, 15);
      const content = Buffer.alloc(3 * mebibyte, 'x');
      const [sender, globex] = [await login('acme'), await login('globex')];
      // No server reads such a file before its import: all reads of it are downloads.
      await globex.put(content, '/large.png');
      const before = new Set(proxy.seen);
      await sender.put(content, '/large.png');
      const written = proxy.seen.filter((passing) => !before.has(passing) && passing.action === 'PutObject');
      const objects = new Set(written.map(({ url }) => new URL(url, 'http://store').pathname));
      // Not the first request for a file, so that each download is open, and waits for the rest.
      const hangs = ({ action, url, headers }: Passing) => {
        const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(String(headers.range)) ?? [];
        const isRest = action === 'GetObject' && Number(to) - Number(from) > mebibyte / 2;
        return isRest && objects.has(new URL(url, 'http://store').pathname);
      };
      const held = () => [...proxy.open].filter(hangs).length;
      let most = 0;
      proxy.trouble = (passing) => {
        if (!hangs(passing)) return 'pass';
        most = Math.max(most, held());
        return how;
      };
      const start = used(server);
      const readers = await Promise.all(Array.from({ length: 10 }, () => login('acme')));
      let failed = 0;
      for (const reader of readers)
        for (let file = 0; file < 4; file++) void reader.get('/large.png').catch(() => failed++);
      await until(() => held() >= readPlaces, 'acme has all places that it gets', 60_000);
      const sent = timed(globex.put(content, '/next.png'));
      const got = timed(globex.get('/large.png').then((bytes) => assert.ok(content.equals(bytes as Buffer))));
      const [{ ms: putMs, error: putError }, { ms: getMs, error: getError }] = [await sent, await got];
      const during = used(server);
      t.diagnostic(`${how}: put ${putMs} ms, get ${getMs} ms, ${JSON.stringify({ start, during, most })}`);
      assert.deepEqual([putError, getError, failed], [null, null, 0]);
      // A connection that has just ended may still be counted.
      assert.ok(most >= readPlaces && most < 2 * readPlaces, `${most} of 40`);
      // The buffers of 40 open downloads among it: one mebibyte of each.
      assert.ok(during.megabytes < start.megabytes + 200 && during.files < start.files + 60, JSON.stringify(during));
      const asked = proxy.seen.filter(hangs).length;
      for (const reader of readers) void reader.end().catch(() => {});
      // By the limits of time they would end after 93 s, those that hang after 25 s, and the next ones would begin.
      await until(() => held() === 0, 'nothing of them is left', 15_000);
      // Each that waited may have begun while others left; what nobody reads is not asked for again and again.
      assert.ok(proxy.seen.filter(hangs).length <= asked + 40);
      proxy.trouble = null;
      const again = await login('acme');
      assert.ok(content.equals((await again.get('/large.png')) as Buffer));
      assert.equal(await server.stop(), 0);
    },
  );

test(
  'a store whose files belong to another installation: the server does not start, and removes nothing',
  options,
  async (t) => {
    const { run, server } = await serve(t);
    assert.equal(await server.stop(), 0);
    const other = { data: temporaryFolder(t), env: run.env };
    const refused = await runDropslot(['serve', '--port', '0', '--host', '127.0.0.1'], { ...other, timeoutMs: 60_000 });
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /has files of another installation .*check the settings "database" and "blobs"/);
    const settings = loadSettings({ env: { ...run.env, DROPSLOT_DATA: other.data } });
    const control = await openControl(settings);
    t.after(() => control.close());
    const store = openStore(settings)!;
    t.after(() => store.close());
    const list = async () => {
      const ids: string[] = [];
      for await (const { id } of store.list()) ids.push(id);
      return ids;
    };
    const before = await list();
    assert.ok(before.length > 0);
    const paths = { ...pathsOf(settings), store };
    const sweep = sweepOrphans({ control, paths, readKept: async () => new Set(), before: Date.now() + 60_000 });
    await assert.rejects(sweep, { code: 'foreign' });
    assert.deepEqual(await list(), before);
  },
);

interface Kill {
  when: string;
  path: string;
  bytes: number;
  /** The server is killed when the second request arrives after the first one. */
  after: string;
  at: string;
}

const kills: Kill[] = [
  { when: 'a small file is stored', path: '/users.csv', bytes: 1_000, after: 'PutObject', at: 'HeadObject' },
  {
    ...{ when: 'a file of parts is complete', path: '/users.csv', bytes: 6 * mebibyte },
    ...{ after: 'CompleteMultipartUpload', at: 'HeadObject' },
  },
  {
    ...{ when: 'the commit, before the old object is removed', path: '/photo.png', bytes: 1_000 },
    ...{ after: 'PutObject', at: 'DeleteObject' },
  },
];
for (const { when, path, bytes, after: first, at } of kills)
  test(`killed after ${when}: nothing is lost, and the sweep removes what no record names`, options, async (t) => {
    const { run, proxy, server, login } = await serve(t);
    const client = await login('acme');
    const content = (name: string) => Buffer.from(`User Email\n${name}@acme.test\n${'\n'.repeat(bytes)}`);
    await client.put(content('ann'), path);
    let isAfter = false;
    proxy.trouble = ({ action }) => {
      const isTime = isAfter && action === at;
      if (isTime) process.kill(server.pid, 'SIGKILL');
      isAfter ||= action === first;
      return isTime ? 'cut' : 'pass';
    };
    await assert.rejects(client.put(content('bo'), path));
    await server.exited;
    proxy.trouble = null;
    const next = await startServe(t, run);
    const again = await login('acme', next);
    const isPublished = at === 'DeleteObject';
    const found = (await again.get(path)) as Buffer;
    assert.ok(found.equals(content(isPublished ? 'bo' : 'ann')), 'the published file is whole');
    await again.put(content('cy'), '/users.csv');
    const summary = await askDropslot<{ users: { created: number } }>(['import', 'acme'], run);
    assert.equal(summary.users.created, 1);
    await again.end();
    assert.equal(await next.stop(), 0);
    const settings = loadSettings({ env: { ...run.env, DROPSLOT_DATA: run.data } });
    const control = await openControl(settings);
    t.after(() => control.close());
    const store = openStore(settings)!;
    t.after(() => store.close());
    const sweep = () =>
      sweepOrphans({
        control,
        paths: { ...pathsOf(settings), store },
        readKept: async () => new Set<string>(),
        before: Date.now() + 60_000,
      });
    // Of a file of parts the bytes are kept, to be resumed, until the next upload of the same path.
    const swept = await sweep();
    assert.ok(swept >= 1 || bytes > 5 * mebibyte, String(swept));
    assert.equal(await sweep(), 0);
    for await (const unfinished of store.listUnfinished()) assert.fail(unfinished.id);
    assert.equal((await askDropslot<{ whole: boolean }>(['doctor', '--deep'], run)).whole, true);
  });
