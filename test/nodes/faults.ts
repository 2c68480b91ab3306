/** What happens to the nodes of a round, to their network and to their database. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../support/temporary.js';
import { type Build, thisBuild } from './build.js';
import type { ReplicatedDatabase } from './databases.js';
import type { TestNode } from './node.js';

export const leaseSeconds = 6;

export interface Stage {
  scope: Scope;
  database: ReplicatedDatabase;
  nodes: readonly TestNode[];
  random: () => number;
  /** That runs beside this build; null: all nodes have this one. */
  other: Build | null;
}

export type Fault = (stage: Stage, node: TestNode) => Promise<void>;

export const faults: Record<string, Fault> = {
  kill: async ({ scope }, node) => {
    await node.kill();
    await sleep(500);
    await node.startAgain(scope);
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
  /** An upgrade, or the step back, in order or after a kill. */
  changeVersion: async ({ scope, random, other }, node) => {
    if (random() < 0.5) await node.kill();
    else if (node.served !== null) assert.equal(await node.served.stop(), 0, `${node.name} stops by itself`);
    node.build = node.build === thisBuild ? other! : thisBuild;
    await node.startAgain(scope);
  },
};

/** More often what costs less time. */
const lots = ['kill', 'killPart', 'killPart', 'pause', 'cut', 'cut', 'hold', 'slow', 'restartDatabase', 'failOver'];
const lotsOfTwo = [...lots, 'changeVersion', 'changeVersion', 'changeVersion', 'changeVersion'];

/** @param isFirst of its round: with two versions it always changes that of a node */
export function chooseFault({ random, other }: Stage, isFirst: boolean): string {
  if (other === null) return lots[Math.floor(random() * lots.length)]!;
  return isFirst ? 'changeVersion' : lotsOfTwo[Math.floor(random() * lotsOfTwo.length)]!;
}
