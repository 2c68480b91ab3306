/**
 * One round: three nodes take uploads and import them while a seed chooses what happens to them, to their network and to their
 * database. At the end each acknowledged upload is imported exactly once, each event is delivered, and no slot was opened twice.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import SftpClient from 'ssh2-sftp-client';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { openManualRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import { walkEvents } from '../../operations/events.js';
import { addOrganization } from '../../operations/orgs.js';
import { addWebhook } from '../../operations/webhooks.js';
import type { Workplace } from '../../operations/workplace.js';
import { checkImported, checkPromises, checkWhole, org } from '../crash/audit.js';
import { upload } from '../crash/clients.js';
import { Ledger } from '../crash/ledger.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { receiveWebhooks, type WebhookReceiver } from '../support/webhookreceiver.js';
import type { ReplicatedDatabase } from './databases.js';
import { TestNode } from './node.js';

export interface RoundTally {
  faults: Record<string, number>;
  acknowledged: number;
  imported: number;
  runs: number;
  slots: number;
  events: number;
  takeovers: number;
}

const names = ['A', 'B', 'C'];
const clientsOfNode = 2;
const leaseSeconds = 6;
const mostWaiting = 12;
/** A call that ssh2 leaves without an answer when its connection dies. */
const patienceMs = 45_000;
const drainMs = 240_000;
const slotMs = 240_000;
const eventTypes = 'run.*,upload.*,file.*';

interface Stage {
  scope: Scope;
  database: ReplicatedDatabase;
  nodes: readonly TestNode[];
  random: () => number;
}

type Fault = (stage: Stage, node: TestNode) => Promise<void>;

const faults: Record<string, Fault> = {
  kill: async ({ scope }, node) => {
    await node.kill();
    await sleep(500);
    await startAgain(scope, node);
  },
  killPart: async ({ random }, node) => node.killImporter(random),
  pause: async (_, node) => {
    node.signal('SIGSTOP');
    await sleep((leaseSeconds + 3) * 1000);
    node.signal('SIGCONT');
  },
  cut: async ({ random }, node) => {
    node.proxy.cut();
    await sleep(500 + random() * 3_000);
    node.proxy.mend();
  },
  hold: async (_, node) => {
    node.proxy.hold(true);
    await sleep((leaseSeconds + 3) * 1000);
    node.proxy.hold(false);
  },
  slow: async (_, node) => {
    node.proxy.delay(60);
    await sleep(3_000);
    node.proxy.delay(0);
  },
  restartDatabase: async ({ database, random }) => database.restart(random() < 0.5),
  failOver: async ({ database, nodes }) => {
    await database.failOver();
    for (const { proxy } of nodes) {
      proxy.cut();
      proxy.target(database.primary.port);
      proxy.mend();
    }
  },
};

/** More often what costs less time. */
const lots = ['kill', 'killPart', 'killPart', 'pause', 'cut', 'cut', 'hold', 'slow', 'restartDatabase', 'failOver'];

export async function playRound(
  scope: Scope,
  database: ReplicatedDatabase,
  random: () => number,
  // Where runs are opened by hand all the time, slots find no files: then only the slots take them.
  { count = 4, isByHand = true, tell = (_line: string) => {} } = {},
): Promise<RoundTally> {
  const name = `round_${Math.floor(random() * 1e9)}`;
  await database.query(`CREATE DATABASE ${name}`);
  const data = temporaryFolder(scope);
  const url = database.url(name);
  const hook = await receiveWebhooks(scope);
  const privateKey = await prepare(data, url, hook);
  const nodes: TestNode[] = [];
  for (const each of names) {
    const skewSeconds = Math.round((random() - 0.5) * 600);
    const options = { data, database: url, skewSeconds, leaseSeconds };
    nodes.push(await TestNode.make(scope, each, database.primary.port, options));
  }
  await Promise.all(nodes.map((node) => node.start(scope)));
  const ledger = new Ledger();
  const stage: Stage = { scope, database, nodes, random };
  let isOver = false;
  let waiting = 0;
  const mayGoOn = () => !isOver;
  const turn = async () => {
    while (waiting > mostWaiting && mayGoOn()) await sleep(50);
  };
  const clients = nodes.flatMap((_, n) =>
    Array.from({ length: clientsOfNode }, (__, k) =>
      runClient(`${names[n]}${k}`, nodes, n, privateKey, { ledger, random, turn, mayGoOn }),
    ),
  );
  const opening = openRuns(database, name, data, mayGoOn, isByHand, (queued) => {
    waiting = queued;
  });
  const tally: Record<string, number> = {};
  for (let n = 0; n < count; n++) {
    await sleep(300 + random() * 1_500);
    const fault = lots[Math.floor(random() * lots.length)]!;
    const node = nodes[Math.floor(random() * nodes.length)]!;
    tell(`${fault} ${node.name}`);
    tally[fault] = (tally[fault] ?? 0) + 1;
    await faults[fault]!(stage, node);
    if (fault === 'failOver') await database.replaceStandby();
  }
  if (isByHand) await sleep(1_500);
  else await waitForSlot(database, name, data);
  isOver = true;
  await Promise.all([...clients, opening]);
  for (const node of nodes) if (!node.isUp) await startAgain(scope, node);
  const place = await openWorkplace(settingsOf(data, database.url(name)));
  try {
    await drain(place, nodes);
    await checkPromises(place, ledger, Number.POSITIVE_INFINITY);
    await checkImported(place, ledger);
    const slots = await checkSlots(place);
    assert.ok(isByHand || slots > 0, 'no slot was opened');
    const events = await checkEvents(place, hook);
    const codes = await Promise.all(nodes.map((node) => node.served?.stop()));
    assert.deepEqual(
      codes,
      names.map(() => 0),
      'each node stops by itself',
    );
    await checkWhole(place, 2);
    const uploads = await place.control.read('uploads').where({ state: 'imported' });
    const log = nodes.flatMap((node) => node.log);
    return {
      ...{ faults: tally, acknowledged: ledger.count('acknowledged'), imported: uploads.length, slots, events },
      runs: (await place.control.read('runs').select('id')).length,
      takeovers: log.filter(({ reason }) => reason === 'lease_lost').length,
    };
  } catch (error) {
    for (const node of nodes)
      for (const line of [...node.log, ...(node.served?.log ?? [])].slice(-40))
        tell(`${node.name} ${JSON.stringify(line)}`);
    throw error;
  } finally {
    await place.close();
    await Promise.all(nodes.map((node) => node.kill()));
    await database.query(`DROP DATABASE ${name} WITH (FORCE)`);
  }
}

/** One begins at each minute of the database's clock; after a fault the schedulers may still be starting. */
async function waitForSlot(database: ReplicatedDatabase, name: string, data: string): Promise<void> {
  const place = await openWorkplace(settingsOf(data, database.url(name)));
  try {
    for (const deadline = performance.now() + slotMs; performance.now() < deadline; await sleep(500))
      if ((await checkSlots(place)) > 0) return;
  } finally {
    await place.close();
  }
}

/** It does not start while its database is away. */
async function startAgain(scope: Scope, node: TestNode): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      return await node.start(scope);
    } catch (error) {
      if (tries === 20) throw error;
      await sleep(500);
    }
  }
}

function settingsOf(data: string, database: string) {
  return settingsSchema.parse({ data, database, databasePool: 3 });
}

async function prepare(data: string, database: string, hook: WebhookReceiver): Promise<string> {
  const place = await openWorkplace(settingsOf(data, database), { create: true });
  const key = newKeyPair();
  try {
    // A slot begins with each minute of the round.
    const slots = Array.from({ length: 12 }, (_, n) => new Date(place.now() + n * 60_000).toISOString().slice(11, 16));
    const fields = { ownerEmail: 'jane@acme.test', timeZone: 'UTC' };
    await addOrganization(place, org, fields, true);
    await place.control
      .write('orgs')
      .where({ id: org })
      .update({ slot: [...new Set(slots)].sort().join() });
    await allowKey(place.control, org, key);
    await addWebhook(place, { url: hook.url, types: eventTypes, allowHttp: true, allowPrivate: true });
  } finally {
    await place.close();
  }
  return key.private;
}

interface Uploading {
  ledger: Ledger;
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
  { ledger, random, turn, mayGoOn }: Uploading,
): Promise<void> {
  for (let session = 0; mayGoOn(); session++) {
    const node = nodes[(home + (session % 3 === 2 ? 1 : 0)) % nodes.length]!;
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
      for (let file = 0; mayGoOn(); file++) {
        await turn();
        if (mayGoOn()) await inTime(upload(client, `${name}-${session}-${file}`, ledger, random));
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

/** As commands of an operator do, on the database itself. */
async function openRuns(
  database: ReplicatedDatabase,
  name: string,
  data: string,
  mayGoOn: () => boolean,
  isByHand: boolean,
  onQueue: (queued: number) => void,
): Promise<void> {
  while (mayGoOn()) {
    try {
      const place = await openWorkplace(settingsOf(data, database.url(name)));
      try {
        while (mayGoOn()) {
          if (isByHand) await openManualRun(place.control.write, org, place.now());
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

/** Opens runs until nothing waits any more. */
async function drain({ control, now }: Workplace, nodes: readonly TestNode[]): Promise<void> {
  for (const deadline = performance.now() + drainMs; ; await sleep(200)) {
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
