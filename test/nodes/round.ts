/**
 * One round: three nodes take uploads and import them while a seed chooses what happens to them, to their network and to their
 * database. At the end each acknowledged upload is imported exactly once, each event is delivered, and no slot was opened twice.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { openWorkplace } from '../../app/compose.js';
import { openManualRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import { walkEvents } from '../../operations/events.js';
import type { Workplace } from '../../operations/workplace.js';
import { checkImported, checkPromises, checkWhole, org } from '../crash/audit.js';
import { upload } from '../crash/clients.js';
import { Ledger } from '../crash/ledger.js';
import { runDropslot } from '../support/program.js';
import type { Swift } from '../support/swift.js';
import type { Scope } from '../support/temporary.js';
import { receiveWebhooks, type WebhookReceiver } from '../support/webhookreceiver.js';
import { type Build, thisBuild } from './build.js';
import type { ReplicatedDatabase } from './databases.js';
import { chooseFault, faults, leaseSeconds, type Stage } from './faults.js';
import { type Installation, install, query } from './installation.js';
import { TestNode } from './node.js';
import { type Work, WorkOfBuilds } from './work.js';

export interface RoundTally {
  faults: Record<string, number>;
  acknowledged: number;
  imported: number;
  runs: number;
  slots: number;
  events: number;
  takeovers: number;
  work: Work;
}

const names = ['A', 'B', 'C'];
const clientsOfNode = 2;
const mostWaiting = 12;
/** Then a client looks whether its own node is back: else a node that was away could get no upload any more. */
const filesElsewhere = 10;
/** A call that ssh2 leaves without an answer when its connection dies. */
const patienceMs = 45_000;
const drainMs = 240_000;
const slotMs = 240_000;
const eventTypes = 'run.*,upload.*,file.*';

export interface RoundOptions {
  /** Faults. */
  count?: number;
  /** Where runs are opened by hand all the time, slots find no files: then only the slots take them. */
  isByHand?: boolean;
  /** A build that some nodes run, and change from or to; null: all run this one. */
  other?: Build | null;
  /** Where the sealed files are, with a data folder for each node; null: in one that they share. */
  store?: Swift | null;
  tell?: (line: string) => void;
}

export async function playRound(
  scope: Scope,
  database: ReplicatedDatabase,
  random: () => number,
  { count = 4, isByHand = true, other = null, store = null, tell = () => {} }: RoundOptions = {},
): Promise<RoundTally> {
  const name = `round_${Math.floor(random() * 1e9)}`;
  await database.query(`CREATE DATABASE ${name}`);
  const hook = await receiveWebhooks(scope);
  const builds = other === null ? names.map(() => thisBuild) : chooseBuilds(other, random);
  const place = await install(scope, {
    ...{ name, url: database.url(name), nodes: names.length, store },
    // One that all nodes have at first has made the tables: the first upgrade changes them.
    build: builds.includes(thisBuild) ? thisBuild : other!,
    hook: { url: hook.url, types: eventTypes },
  });
  const { privateKey } = place;
  const nodes: TestNode[] = [];
  for (const [n, each] of names.entries()) {
    const skewSeconds = Math.round((random() - 0.5) * 600);
    const options = {
      data: place.folders[n]!,
      env: place.env,
      database: database.url(name),
      skewSeconds,
      leaseSeconds,
    };
    const node = await TestNode.make(scope, each, database.primary.port, options);
    node.build = builds[n]!;
    nodes.push(node);
  }
  tell(`begins with ${nodes.map((node) => `${node.name} ${node.build.name}`).join(', ')}`);
  await Promise.all(nodes.map((node) => node.start(scope)));
  const ledger = new Ledger();
  const work = new WorkOfBuilds(nodes);
  const stage: Stage = { scope, database, nodes, random, other };
  const open = () => openWorkplace(place.settingsAt(database.url(name)));
  let isOver = false;
  let waiting = 0;
  const mayGoOn = () => !isOver;
  const turn = async () => {
    while (waiting > mostWaiting && mayGoOn()) await sleep(50);
  };
  const clients = nodes.flatMap((_, n) =>
    Array.from({ length: clientsOfNode }, (__, k) =>
      runClient(`${names[n]}${k}`, nodes, n, privateKey, { ledger, work, random, turn, mayGoOn }),
    ),
  );
  const opening = openRuns({
    ...{ open, mayGoOn, isByHand, work },
    url: () => database.url(name),
    isMigrated: () => nodes.some(({ builds }) => [...builds.values()].includes(thisBuild)),
    onQueue: (queued) => {
      waiting = queued;
    },
  });
  const tally: Record<string, number> = {};
  try {
    if (other !== null) await waitForUploads(nodes, work);
    for (let n = 0; n < count; n++) {
      await sleep(300 + random() * 1_500);
      const fault = chooseFault(stage, n === 0);
      const node = nodes[Math.floor(random() * nodes.length)]!;
      tell(`${fault} ${node.name}${fault === 'changeVersion' ? ` from ${node.build.name}` : ''}`);
      tally[fault] = (tally[fault] ?? 0) + 1;
      await faults[fault]!(stage, node);
      if (fault === 'changeVersion') await waitForUploads(nodes, work);
      if (fault === 'failOver') await database.replaceStandby();
    }
    if (isByHand) await sleep(1_500);
    else await waitForSlot(open);
  } finally {
    // Of a round that fails, too: its clients would go on for ever.
    isOver = true;
  }
  await Promise.all([...clients, opening]);
  for (const node of nodes) if (!node.isUp) await node.startAgain(scope);
  const workplace = await open();
  try {
    await drain(workplace, nodes, work);
    await checkPromises(workplace, ledger, Number.POSITIVE_INFINITY);
    await checkImported(workplace, ledger);
    const slots = await checkSlots(workplace);
    assert.ok(isByHand || slots > 0, 'no slot was opened');
    const events = await checkEvents(workplace, hook);
    const codes = await Promise.all(nodes.map((node) => node.served?.stop()));
    assert.deepEqual(
      codes,
      names.map(() => 0),
      'each node stops by itself',
    );
    await checkWhole(workplace, 2);
    if (other !== null) await checkWholeBy(other, place, database.url(name));
    const uploads = await workplace.control.read('uploads').where({ state: 'imported' });
    const log = nodes.flatMap((node) => node.log);
    return {
      ...{ faults: tally, acknowledged: ledger.count('acknowledged'), imported: uploads.length, slots, events },
      runs: (await workplace.control.read('runs').select('id')).length,
      takeovers: log.filter(({ reason }) => reason === 'lease_lost').length,
      work: work.count(),
    };
  } catch (error) {
    for (const node of nodes)
      for (const line of [...node.log, ...(node.served?.log ?? [])].slice(-40))
        tell(`${node.name} ${JSON.stringify(line)}`);
    throw error;
  } finally {
    await workplace.close();
    await Promise.all(nodes.map((node) => node.kill()));
    await database.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
}

/** The other one on A, on A and B, or on all of them. */
function chooseBuilds(other: Build, random: () => number): Build[] {
  const others = 1 + Math.floor(random() * names.length);
  return names.map((_, n) => (n < others ? other : thisBuild));
}

/** One begins at each minute of the database's clock; after a fault the schedulers may still be starting. */
async function waitForSlot(open: () => Promise<Workplace>): Promise<void> {
  const place = await open();
  try {
    for (const deadline = performance.now() + slotMs; performance.now() < deadline; await sleep(500))
      if ((await checkSlots(place)) > 0) return;
  } finally {
    await place.close();
  }
}

/** Each build that runs has taken one: on a busy machine the next fault may come before. */
async function waitForUploads(nodes: readonly TestNode[], work: WorkOfBuilds): Promise<void> {
  const lacksOne = () => nodes.find(({ isUp, build }) => isUp && !work.hasUpload(build));
  for (const deadline = performance.now() + slotMs; lacksOne() !== undefined; await sleep(200))
    assert.ok(performance.now() < deadline, `${lacksOne()!.name} takes no upload`);
}

interface Uploading {
  ledger: Ledger;
  work: WorkOfBuilds;
  random: () => number;
  turn: () => Promise<void>;
  mayGoOn: () => boolean;
}

/** Uploads to its node, and to another one while that is away. */
async function runClient(
  name: string,
  nodes: readonly TestNode[],
  home: number,
  privateKey: string,
  { ledger, work, random, turn, mayGoOn }: Uploading,
): Promise<void> {
  for (let session = 0; mayGoOn(); session++) {
    const node = nodes[(home + (session % 3 === 2 ? 1 : 0)) % nodes.length]!;
    const { build } = node;
    const port = node.served?.port;
    if (port === undefined) {
      await sleep(200);
      continue;
    }
    const quiet = () => {};
    const client = new SftpClient(name, { error: quiet, end: quiet, close: quiet });
    client.on('error', quiet);
    try {
      await inTime(client.connect({ host: '127.0.0.1', port, username: org, privateKey }));
      for (let file = 0; mayGoOn() && (node === nodes[home] || file < filesElsewhere); file++) {
        await turn();
        if (!mayGoOn()) break;
        await inTime(upload(client, `${name}-${session}-${file}`, ledger, random));
        work.noteUpload(build);
      }
    } catch {
      // Whatever had no answer promises nothing.
      await sleep(200);
    } finally {
      await Promise.race([client.end().catch(quiet), sleep(1_000)]);
    }
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  const patience = new AbortController();
  const late = sleep(patienceMs, undefined, { signal: patience.signal }).then(() => {
    throw new Error('no answer');
  });
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    patience.abort();
    work.catch(() => {});
  }
}

interface Opening {
  open(): Promise<Workplace>;
  url(): string;
  mayGoOn(): boolean;
  isByHand: boolean;
  /** A node has brought the schema to that of this version: before, no process of the test does. */
  isMigrated(): boolean;
  onQueue(queued: number): void;
  work: WorkOfBuilds;
}

/** As commands of an operator do, on the database itself. */
async function openRuns({ open, url, mayGoOn, isByHand, isMigrated, onQueue, work }: Opening): Promise<void> {
  while (mayGoOn()) {
    try {
      for (; mayGoOn() && !isMigrated(); await sleep(300)) onQueue(await countQueued(url()));
      const place = await open();
      try {
        while (mayGoOn()) {
          if (isByHand) await openManualRun(place.control.write, org, place.now());
          await work.noteRuns(place);
          onQueue((await listQueue(place.control.read, org)).length);
          await sleep(300);
        }
      } finally {
        await place.close();
      }
    } catch {
      await sleep(500);
    }
  }
}

async function countQueued(url: string): Promise<number> {
  const sql = "SELECT count(*) AS queued FROM dropslot_control.uploads WHERE state = 'queued'";
  const [row] = await query<{ queued: string }>(url, sql);
  return Number(row!.queued);
}

/** Opens runs until nothing waits any more. */
async function drain(place: Workplace, nodes: readonly TestNode[], work: WorkOfBuilds): Promise<void> {
  const { control, now } = place;
  for (const deadline = performance.now() + drainMs; ; await sleep(200)) {
    await work.noteRuns(place);
    const waiting = await control.read('uploads').whereIn('state', ['queued', 'running']).first('id');
    const working = await control.read('runs').whereIn('state', ['open', 'running']);
    if (waiting === undefined && working.length === 0) return;
    assert.ok(
      performance.now() < deadline,
      `not imported in time: ${JSON.stringify({ waiting, working, up: nodes.map(({ isUp }) => isUp) })}`,
    );
    if (waiting !== undefined && working.length === 0) await openManualRun(control.write, org, now());
  }
}

/** As checkWhole, without a look into the future: the other version's doctor examines what both have written. */
async function checkWholeBy(build: Build, { folders, env }: Installation, database: string): Promise<void> {
  const options = { data: folders[0]!, env: { ...env, DROPSLOT_DATABASE: database }, entry: build.entry! };
  const { stdout, stderr } = await runDropslot(['doctor', '--deep', '--json'], options);
  assert.match(stdout, /^\{/, stderr);
  const { findings } = JSON.parse(stdout) as { findings: { level: string; message: string }[] };
  const bad = findings.filter(({ level, message }) => level === 'wrong' && !/^run \d+ failed: given up/.test(message));
  assert.deepEqual(bad, [], `doctor --deep of ${build.name}`);
}

async function checkSlots({ control }: Workplace): Promise<number> {
  const slots = await control.read('runs').where({ kind: 'slot' }).select('slot_date', 'slot_time');
  const keys = slots.map(({ slot_date, slot_time }) => `${slot_date} ${slot_time}`);
  assert.equal(new Set(keys).size, keys.length, 'a slot was opened twice');
  return keys.length;
}

/** At least once, and none that is none. */
async function checkEvents(place: Workplace, hook: WebhookReceiver): Promise<number> {
  const expected: string[] = [];
  for await (const { id } of walkEvents(place, { type: eventTypes })) expected.push(id);
  const delivered = () => new Set(hook.received.map(({ body }) => (JSON.parse(body) as { id: string }).id));
  for (const deadline = performance.now() + 60_000; ; await sleep(200)) {
    const got = delivered();
    const missing = expected.filter((id) => !got.has(id));
    for (const id of got) assert.ok(expected.includes(id), `${id} is no event`);
    if (missing.length === 0) return expected.length;
    assert.ok(performance.now() < deadline, `${missing.length} events are not delivered`);
  }
}
