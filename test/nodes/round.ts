/**
 * One round: three nodes take uploads and import them while the faults of a plan happen to them, to their network and to their
 * database. At the end each acknowledged upload is imported exactly once, each event is delivered, and no slot was opened twice.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { openWorkplace } from '../../app/compose.js';
import type { Workplace } from '../../operations/workplace.js';
import { checkImported, checkPromises, checkWhole } from '../crash/audit.js';
import { Ledger } from '../crash/ledger.js';
import { type StoreProxy, type Swift, startStoreProxy } from '../support/swift.js';
import type { Scope } from '../support/temporary.js';
import { receiveWebhooks, type WebhookReceiver } from '../support/webhookreceiver.js';
import { thisBuild } from './build.js';
import { checkEvents, checkRunReports, checkSlots, checkWholeBy, eventTypes } from './checks.js';
import { checkClients, runClients, type Sender } from './clients.js';
import type { ReplicatedDatabase } from './databases.js';
import type { Stage } from './fault.js';
import { faults } from './faults.js';
import { type Installation, install } from './installation.js';
import { Network } from './network.js';
import { TestNode } from './node.js';
import { describePlan, type PlanOptions, planRound, type RoundPlan } from './plan.js';
import { drain, openRuns, waitForSlots } from './runs.js';
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

const uploadMs = 240_000;
/** After the last fault. */
const lastUploads = 10;
/** For files between two faults: a fault may keep all nodes from taking any. */
const progressMs = 20_000;

export interface RoundOptions extends Omit<PlanOptions, 'hasStore'> {
  /** Where the sealed files are, with a data folder for each node; null: in one that they share. */
  store?: Swift | null;
  tell?: (line: string) => void;
}

/** What a round has, until its end. */
interface Round {
  plan: RoundPlan;
  database: ReplicatedDatabase;
  url(): string;
  place: Installation;
  hook: WebhookReceiver;
  network: Network;
  nodes: TestNode[];
  senders: Sender[];
  work: WorkOfBuilds;
  open(): Promise<Workplace>;
  tell(line: string): void;
}

export async function playRound(
  scope: Scope,
  database: ReplicatedDatabase,
  seed: number,
  { store = null, tell = () => {}, ...options }: RoundOptions = {},
): Promise<RoundTally> {
  const plan = planRound(seed, { ...options, hasStore: store !== null });
  tell(describePlan(plan));
  const round = await prepare(scope, database, plan, store, tell);
  const { nodes, place, senders, work, open } = round;
  await Promise.all(nodes.map((node) => node.start(scope)));
  let isOver = false;
  const mayGoOn = () => !isOver;
  const waiting = new Map<string, number>();
  const traffic = runClients({
    ...{ nodes, senders, work, mayGoOn },
    randomOf: plan.randomOf,
    countWaiting: (org) => waiting.get(org) ?? 0,
  });
  const opening = openRuns({
    ...{ open, mayGoOn, work, orgs: plan.orgs, isByHand: plan.isByHand, url: round.url },
    isMigrated: () => nodes.some(({ builds }) => [...builds.values()].includes(thisBuild)),
    onQueue: (org, queued) => void waiting.set(org, queued),
  });
  try {
    await playFaults(scope, round, store);
  } catch (error) {
    tellLogs(round);
    throw error;
  } finally {
    // Of a round that fails, too: its clients would go on for ever.
    isOver = true;
  }
  await Promise.all([traffic, opening]);
  for (const node of nodes) if (!node.isUp) await node.startAgain(scope);
  const workplace = await open();
  try {
    await drain(workplace, plan.orgs, nodes, work);
    const counted = await check(workplace, round);
    if (plan.other !== null) await checkWholeBy(plan.other, place, round.url());
    const tally: Record<string, number> = {};
    for (const { fault } of plan.steps) tally[fault] = (tally[fault] ?? 0) + 1;
    return { ...counted, faults: tally, work: work.count() };
  } catch (error) {
    tellLogs(round);
    throw error;
  } finally {
    await workplace.close();
    await Promise.all(nodes.map((node) => node.kill()));
    await database.query(`DROP DATABASE ${plan.name} WITH (FORCE)`);
  }
}

function tellLogs({ nodes, tell }: Round): void {
  for (const node of nodes)
    for (const line of [...node.log, ...(node.served?.log ?? [])].slice(-60))
      tell(`${node.name} ${JSON.stringify(line)}`);
}

async function prepare(
  scope: Scope,
  database: ReplicatedDatabase,
  plan: RoundPlan,
  store: Swift | null,
  tell: (line: string) => void,
): Promise<Round> {
  const { name, orgs, other } = plan;
  await database.query(`CREATE DATABASE ${name}`);
  const url = () => database.url(name);
  const hook = await receiveWebhooks(scope);
  const place = await install(scope, {
    ...{ name, url: url(), orgs, nodes: plan.nodes.length, store },
    // One that all nodes have at first has made the tables: the first upgrade changes them.
    build: plan.nodes.some(({ build }) => build === thisBuild) ? thisBuild : other!,
    hook: { url: hook.url, types: eventTypes },
  });
  const hasPooler = plan.nodes.some(({ isPooled }) => isPooled);
  const network = await Network.open(scope, url(), hasPooler);
  const nodes: TestNode[] = [];
  for (const [n, each] of plan.nodes.entries()) {
    const proxy = await network.connect(each.isPooled);
    const ownStore = store === null ? null : await startStoreProxy(scope, store);
    const env = { ...place.env, ...through(ownStore) };
    nodes.push(new TestNode(scope, each, { data: place.folders[n]!, env, database: url(), proxy, store: ownStore }));
  }
  const senders = orgs.map((org) => ({
    ...{ org, privateKey: place.keys.get(org)! },
    ledger: new Ledger(`${org}.test`),
  }));
  const open = () => openWorkplace(place.settingsAt(url()));
  return { plan, database, url, place, hook, network, nodes, senders, work: new WorkOfBuilds(nodes), open, tell };
}

function through(store: StoreProxy | null): Record<string, string> {
  return store === null ? {} : { DROPSLOT_BLOB_ENDPOINT: store.endpoint };
}

async function playFaults(scope: Scope, round: Round, store: Swift | null): Promise<void> {
  const { plan, database, network, nodes, senders, work, open, tell } = round;
  const { other, orgs, isByHand } = plan;
  if (other !== null) await waitForUploads(nodes, work);
  for (const { fault, node: name, afterUploads, random } of plan.steps) {
    await waitForTaken(senders, afterUploads);
    const node = nodes.find((each) => each.name === name)!;
    tell(`${fault} ${name}${fault === 'changeVersion' ? ` from ${node.build.name}` : ''}`);
    const stage: Stage = { scope, database, network, store, other, random };
    await faults[fault].play(stage, node);
    if (fault === 'changeVersion') await waitForUploads(nodes, work);
  }
  if (isByHand) await waitForTaken(senders, lastUploads);
  else await waitForSlots(open, orgs);
}

async function waitForTaken(senders: readonly Sender[], count: number): Promise<void> {
  const enough = countTaken(senders) + count;
  for (const deadline = performance.now() + progressMs; countTaken(senders) < enough; await sleep(100))
    if (performance.now() > deadline) return;
}

function countTaken(senders: readonly Sender[]): number {
  return senders.reduce((sum, { ledger }) => sum + ledger.count('acknowledged'), 0);
}

/** Each build that runs has taken one: on a busy machine the next fault may come before. */
async function waitForUploads(nodes: readonly TestNode[], work: WorkOfBuilds): Promise<void> {
  const lacksOne = () => nodes.find(({ isUp, build }) => isUp && !work.hasUpload(build));
  for (const deadline = performance.now() + uploadMs; lacksOne() !== undefined; await sleep(200))
    assert.ok(performance.now() < deadline, `${lacksOne()!.name} takes no upload`);
}

/** Every promise was kept. Stops the nodes. */
async function check(workplace: Workplace, round: Round): Promise<Omit<RoundTally, 'faults' | 'work'>> {
  const { plan, nodes, senders, hook } = round;
  const { control } = workplace;
  for (const { org, ledger } of senders) {
    await checkPromises(workplace, ledger, Number.POSITIVE_INFINITY, org);
    await checkImported(workplace, ledger, org);
    await checkRunReports(workplace, org);
  }
  const slots = await checkSlots(workplace);
  assert.ok(plan.isByHand || slots >= plan.orgs.length, 'a slot of each organization was opened');
  const events = await checkEvents(workplace, hook, plan.orgs);
  await checkClients(nodes, senders);
  await Promise.all(nodes.map((node) => node.stop()));
  await checkWhole(workplace, 2);
  const imported = await control.read('uploads').where({ state: 'imported' }).pluck('id');
  const runs = await control.read('runs').pluck('id');
  const log = nodes.flatMap((node) => node.log);
  return {
    ...{ slots, events, imported: imported.length, runs: runs.length },
    acknowledged: countTaken(senders),
    takeovers: log.filter(({ reason }) => reason === 'lease_lost').length,
  };
}
