/** A round as its seed chooses it, before it begins: organizations, nodes, and faults in their order. */
import { sequence } from '../crash/matrix.js';
import { type Build, thisBuild } from './build.js';
import type { Situation } from './fault.js';
import { type FaultName, faults } from './faults.js';
import type { NodePlan } from './node.js';

/** One fault, to one node. */
export interface Step {
  fault: FaultName;
  node: string;
  /** It begins once so many files were taken since the one before: a busy machine has taken none for a while. */
  afterUploads: number;
  /** What the fault chooses. */
  random: () => number;
}

export interface RoundPlan {
  /** Of its database, and of its part of the store. */
  name: string;
  orgs: string[];
  nodes: NodePlan[];
  steps: Step[];
  /** Where runs are opened by hand all the time, slots find no files: then only the slots take them. */
  isByHand: boolean;
  /** A build that some nodes run, and change from or to; null: all run this one. */
  other: Build | null;
  /** Whether the sealed files are in an object store. */
  hasStore: boolean;
  /** A sequence for one client. */
  randomOf(client: number): () => number;
}

export interface PlanOptions {
  /** Faults. */
  count?: number;
  isByHand?: boolean;
  other?: Build | null;
  /** Nodes that begin with the other build; else the seed chooses. */
  others?: number;
  hasStore?: boolean;
}

const names = ['A', 'B', 'C'];
const orgs = ['acme', 'beech', 'cedar'];
const mostSkewSeconds = 300;

export function planRound(seed: number, options: PlanOptions = {}): RoundPlan {
  const { count = 4, isByHand = seed % 2 === 0, other = null, hasStore = false } = options;
  const random = sequence(seed * 7919);
  const { others = 1 + below(random, names.length) } = options;
  const fork = () => sequence(below(random, 2 ** 31));
  const [name, size] = [`round_${below(random, 1e9)}`, 2 + below(random, 2)];
  const nodes = names.map(
    (each, n): NodePlan => ({
      name: each,
      build: other !== null && n < others ? other : thisBuild,
      skewSeconds: Math.round((random() * 2 - 1) * mostSkewSeconds),
      workers: random() < 0.4 ? 2 : 1,
      isPooled: random() < 0.4,
    }),
  );
  const steps = Array.from({ length: count }, (_, n): Step => {
    const node = nodes[below(random, nodes.length)]!;
    const isFirst = n === 0 && other !== null;
    const fault = isFirst ? 'changeVersion' : chooseFault({ node, other, hasStore }, random);
    return { fault, node: node.name, afterUploads: 2 + below(random, 8), random: fork() };
  });
  const clients = below(random, 2 ** 30);
  const randomOf = (client: number) => sequence(clients + client * 7919);
  return { name, orgs: orgs.slice(0, size), nodes, steps, isByHand, other, hasStore, randomOf };
}

/** One line. */
export function describePlan(plan: RoundPlan): string {
  const nodes = plan.nodes.map(({ name, build, skewSeconds, workers, isPooled }) => {
    const more = [...(workers > 1 ? [`${workers} workers`] : []), ...(isPooled ? ['PgBouncer'] : [])];
    return [`${name} ${build.name}`, `${skewSeconds} s`, ...more].join(', ');
  });
  const steps = plan.steps.map(({ fault, node }) => `${fault} ${node}`);
  const opened = plan.isByHand ? 'runs by hand' : 'slots alone';
  return [plan.orgs.join(), opened, ...nodes, steps.join()].join('; ');
}

function chooseFault(situation: Situation, random: () => number): FaultName {
  const possible = (Object.keys(faults) as FaultName[]).filter((name) => faults[name].fits?.(situation) ?? true);
  const lots = possible.flatMap((name) => Array.from({ length: faults[name].lots }, () => name));
  return lots[below(random, lots.length)]!;
}

function below(random: () => number, end: number): number {
  return Math.floor(random() * end);
}
