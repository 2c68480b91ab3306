/**
 * Two nodes on PostgreSQL whose sealed files move into an object store and back: the move is killed again and again, in the middle of the
 * copy and at each step of the switch, while both nodes take files. Each repetition goes on behind the files that are copied.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '../support/databases.js';
import { runDropslot, type Served } from '../support/program.js';
import {
  missingSwift,
  type Passing,
  type StoreProxy,
  type Swift,
  startStoreProxy,
  startSwift,
} from '../support/swift.js';
import type { Scope } from '../support/temporary.js';
import {
  atClient,
  type Bench,
  type Kill,
  migrate,
  migrateAndDie,
  prepareBench,
  requireImported,
  requireWhole,
  sendFiles,
  serve,
  timeoutMs,
} from './moving.js';

const swift = missingSwift === false ? await startSwift({ after }) : (null as never as Swift);

interface Nodes {
  bench: Bench;
  proxy: StoreProxy;
  store: string;
  running: Served[];
}

interface Report {
  files: number | null;
  missing: string[];
}

/** Two servers on one data folder, whose settings file has the database and the store. */
async function prepare(scope: Scope): Promise<Nodes> {
  const proxy = await startStoreProxy(scope, swift);
  const { blobs: store, ...settings } = swift.settings('migrated', { endpoint: proxy.endpoint });
  const bench = await prepareBench(scope, { ...settings, database: await createDatabase(scope) });
  return { bench, proxy, store: String(store), running: [] };
}

async function startNodes(scope: Scope, nodes: Nodes): Promise<void> {
  nodes.running = [
    await serve(scope, nodes.bench, '--role', 'intake'),
    await serve(scope, nodes.bench, '--role', 'intake'),
  ];
}

/** On each node so many. */
async function sendToEach({ bench, running }: Nodes, name: string, count = 1): Promise<void> {
  for (const [number, node] of running.entries()) {
    const names = Array.from({ length: count }, (_, n) => `${name}-${number}-${n}`);
    await sendFiles(bench, node, names).catch((cause) => assert.fail(`${name}: ${cause.message}`));
  }
}

/** Its users are in several parts of an object. @returns how many beside the first one */
async function sendBig({ bench, running }: Nodes): Promise<number> {
  const rows = Array.from({ length: 900 }, (_, n) => `big${n || ''}@acme.test,${'x'.repeat(8000)} ${n}\n`);
  const content = `User Email,Note\n${rows.join('')}`;
  await atClient(bench, running[1]!.port, (client) => client.put(Buffer.from(content), '/big.csv'));
  bench.sent.set('/big.csv', content);
  return rows.length - 1;
}

/** Each file that got OK is there, byte by byte. Nodes that only take files open none. */
async function requireSent(scope: Scope, { bench }: Nodes): Promise<void> {
  const server = await serve(scope, bench);
  await atClient(bench, server.port, async (client) => {
    for (const [path, content] of bench.sent) assert.equal(String(await client.get(path)), content, path);
  });
  await server.stop();
}

async function requireEnded({ running }: Nodes): Promise<void> {
  for (const node of running) {
    await Promise.race([node.exited, sleep(timeoutMs, null, { ref: false })]);
    assert.equal(await node.stop('SIGKILL'), 5, 'the node has ended by itself');
  }
}

/** Kills the move when the store is asked for such a thing for the `count`-th time. @returns what was on its way then */
async function killAt(
  { bench, proxy }: Nodes,
  to: string,
  action: string,
  count: number,
  trouble: 'pass' | 'cut',
): Promise<string[]> {
  let left = count;
  const open: string[] = [];
  const ran = await runDropslot(['migrate', '--blobs', to, '--yes'], {
    ...{ data: bench.data, timeoutMs },
    onStart: (child) => {
      proxy.trouble = (passing) => {
        if (passing.action !== action || --left > 0) return 'pass';
        if (left === 0) {
          open.push(...[...proxy.open].map(keyOf));
          child.kill('SIGKILL');
        }
        return trouble;
      };
    },
  });
  proxy.trouble = null;
  assert.ok(ran.code === null && left <= 0, `${action}: ${ran.code} ${ran.stderr}`);
  return open;
}

const keyOf = ({ url }: Pick<Passing, 'url'>) => url.split('?')[0]!;

/** The switch, in one transaction that holds both databases. */
const switched = '^postgres CREATE TRIGGER dropslot_blob_place';
const steps: (Kill & { isSwitched?: true })[] = [
  { name: 'marked', since: '^postgres insert into .blob_place.', at: '^postgres COMMIT', when: 'after' },
  { name: 'a page is noted', at: '^postgres update .blob_place.', when: 'after' },
  { name: 'recorded', since: '^postgres select .count. as .seq.', at: '^postgres COMMIT', when: 'after' },
  { name: 'held', at: '^postgres LOCK', count: 3, when: 'after' },
  { name: 'before the switch', since: switched, at: '^postgres COMMIT', when: 'before' },
  { name: 'the directory is let go', since: switched, at: '^postgres COMMIT', when: 'after' },
  { name: 'after the switch', since: switched, at: '^postgres COMMIT', count: 2, when: 'after', isSwitched: true },
  { name: 'before the settings', at: '^rename .*/dropslot.json$', when: 'before', isSwitched: true },
];

/** Both nodes take a file after each kill, until the switch. */
async function killAtSteps(nodes: Nodes, to: string): Promise<void> {
  for (const step of steps) {
    await migrateAndDie(nodes.bench, ['--blobs', to], step);
    if (step.isSwitched !== true)
      await sendToEach(nodes, step.name.replaceAll(' ', '-') + (to === 'folder' ? '-back' : ''));
    else if (step.name === 'after the switch') await requireEnded(nodes);
  }
}

async function end({ bench }: Nodes, to: string): Promise<void> {
  const report = await migrate<Report>(bench, ['--blobs', to]);
  assert.equal(report.files, null, 'only the settings were left');
  const file = readFileSync(join(bench.data, 'dropslot.json'), 'utf8');
  assert.equal(JSON.parse(file).blobs, to);
}

/** Names and inodes of the sealed files in the folder. */
function listFolder(data: string): Map<string, number> {
  const blobs = join(data, 'blobs');
  const files = readdirSync(blobs, { recursive: true }).map(String);
  return new Map(
    files.filter((name) => /^..\/[0-9a-f]{32}$/.test(name)).map((name) => [name, statSync(join(blobs, name)).ino]),
  );
}

test('the files of two nodes, into a store and back, with kills', { skip: missingSwift }, async (t) => {
  const nodes = await prepare(t);
  const { bench, proxy, store } = nodes;
  await startNodes(t, nodes);
  await sendToEach(nodes, 'first', 10);
  const others = await sendBig(nodes);

  const open = await killAt(nodes, store, 'UploadPart', 2, 'cut');
  await sendToEach(nodes, 'second', 10);
  open.push(...(await killAt(nodes, store, 'PutObject', 10, 'pass')));
  await killAtSteps(nodes, store);
  await end(nodes, store);
  const puts = proxy.seen.filter(({ action, status }) => action === 'PutObject' && status === 200).map(keyOf);
  const twice = puts.filter((key, n) => puts.indexOf(key) < n && !open.includes(key));
  assert.deepEqual(twice, [], 'a file that was there is not copied again');

  rmSync(join(bench.data, 'blobs'), { recursive: true });
  await startNodes(t, nodes);
  await sendToEach(nodes, 'third', 5);
  await requireSent(t, nodes);
  await requireWhole(bench);

  await killAt(nodes, 'folder', 'GetObject', 20, 'cut');
  const copied = listFolder(bench.data);
  assert.ok(copied.size > 0 && copied.size < bench.sent.size, `${copied.size} of ${bench.sent.size} files were copied`);
  await sendToEach(nodes, 'fourth', 2);
  await killAt(nodes, 'folder', 'GetObject', 50, 'pass');
  const copiedThen = listFolder(bench.data);
  for (const [name, inode] of copied) assert.equal(copiedThen.get(name), inode, `${name} is not copied again`);
  await killAtSteps(nodes, 'folder');
  await end(nodes, 'folder');

  await proxy.stop(); // the folder has all
  await startNodes(t, nodes);
  await sendToEach(nodes, 'last');
  await requireSent(t, nodes);
  await Promise.all(nodes.running.map((node) => node.stop()));
  const server = await serve(t, bench);
  await requireImported(bench, others);
  await server.stop();
  await requireWhole(bench);
});
