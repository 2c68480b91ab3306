/** What happens to the nodes of a round, to their clocks, to their network, and to their database. */
import { setTimeout as sleep } from 'node:timers/promises';
import { thisBuild } from './build.js';
import type { Fault } from './fault.js';
import { leaseSeconds } from './node.js';
import { storeFaults } from './storefaults.js';

/** So long that another node takes over what a node had that stands still. */
const standstillMs = (leaseSeconds + 3) * 1000;

const [minute, hour, day] = [60, 3_600, 86_400];
const jumps = [-day, -hour, -5 * minute, 5 * minute, hour, day, 365 * day];

const nodeFaults = {
  kill: {
    lots: 2,
    async play({ scope }, node) {
      await node.kill();
      await sleep(500);
      await node.startAgain(scope);
    },
  },
  /** In order, in the middle of uploads. */
  stop: {
    lots: 2,
    async play({ scope }, node) {
      await node.stop();
      await node.startAgain(scope);
    },
  },
  killPart: { lots: 2, play: async ({ random }, node) => node.killPart(random) },
  killWorker: {
    lots: 3,
    fits: ({ node }) => node.workers > 1,
    play: async ({ random }, node) => node.killPart(random, 'workerentry'),
  },
  pause: {
    lots: 1,
    async play(_, node) {
      node.signal('SIGSTOP');
      await sleep(standstillMs);
      node.signal('SIGCONT');
    },
  },
  /** While it runs. Its clock stays wrong for some seconds, or until the next jump. */
  jump: {
    lots: 3,
    async play({ random }, node) {
      node.setClock(jumps[Math.floor(random() * jumps.length)]!);
      await sleep(2_000 + random() * 6_000);
      if (random() < 0.7) node.setClock(node.plan.skewSeconds);
    },
  },
  /** An upgrade, or the step back, in order or after a kill. */
  changeVersion: {
    lots: 7,
    fits: ({ other }) => other !== null,
    async play({ scope, random, other }, node) {
      await (random() < 0.5 ? node.kill() : node.stop());
      node.build = node.build === thisBuild ? other! : thisBuild;
      await node.startAgain(scope);
    },
  },
} satisfies Record<string, Fault>;

const databaseFaults = {
  cut: {
    lots: 2,
    async play({ random }, { proxy }) {
      proxy.cut();
      await sleep(500 + random() * 3_000);
      proxy.mend();
    },
  },
  hold: {
    lots: 1,
    async play(_, { proxy }) {
      proxy.hold(true);
      await sleep(standstillMs);
      proxy.hold(false);
    },
  },
  slow: {
    lots: 1,
    async play(_, { proxy }) {
      proxy.delay(60);
      await sleep(3_000);
      proxy.delay(0);
    },
  },
  restartPooler: {
    lots: 3,
    fits: ({ node }) => node.isPooled,
    play: async ({ network }) => network.restartPooler(),
  },
  restartDatabase: { lots: 1, play: async ({ database, random }) => database.restart(random() < 0.5) },
  failOver: {
    lots: 1,
    async play({ database, network }) {
      await database.failOver();
      network.follow(database.primary.port);
      await database.replaceStandby();
    },
  },
} satisfies Record<string, Fault>;

const all = { ...nodeFaults, ...databaseFaults, ...storeFaults };

export type FaultName = keyof typeof all;

export const faults: Record<FaultName, Fault> = all;
