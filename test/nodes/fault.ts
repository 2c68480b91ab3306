/** One thing that happens to a node of a round, or to what all of them use. */
import type { Swift } from '../support/swift.js';
import type { Scope } from '../support/temporary.js';
import type { Build } from './build.js';
import type { ReplicatedDatabase } from './databases.js';
import type { Network } from './network.js';
import type { NodePlan, TestNode } from './node.js';

/** What decides whether a fault is possible. */
export interface Situation {
  node: NodePlan;
  /** That runs beside this build; null: all nodes have this one. */
  other: Build | null;
  hasStore: boolean;
}

export interface Stage {
  scope: Scope;
  database: ReplicatedDatabase;
  network: Network;
  /** null: the sealed files are in a folder. */
  store: Swift | null;
  other: Build | null;
  /** What the fault chooses. */
  random: () => number;
}

export interface Fault {
  /** More for one that costs less time. */
  lots: number;
  /** Absent: always. */
  fits?(situation: Situation): boolean;
  play(stage: Stage, node: TestNode): Promise<void>;
}
