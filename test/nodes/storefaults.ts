/** What happens to the object store of a round, and to the network between it and a node. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StoreProxy, Trouble } from '../support/swift.js';
import type { Fault } from './fault.js';
import type { TestNode } from './node.js';

const troubles: Trouble[] = ['pass', 'pass', 'cut', 'lost', 500, 503];

export const storeFaults = {
  storeCut: {
    lots: 2,
    fits: ({ hasStore }) => hasStore,
    async play({ random }, node) {
      const store = storeOf(node);
      await store.stop();
      await sleep(500 + random() * 4_000);
      await store.start();
    },
  },
  /** Requests arrive, in the end. */
  storeHold: {
    lots: 2,
    fits: ({ hasStore }) => hasStore,
    async play({ random }, node) {
      const held = sleep(2_000 + random() * 10_000).then((): Trouble => 'pass');
      await whileTrouble(node, () => held, held);
    },
  },
  storeSlow: {
    lots: 2,
    fits: ({ hasStore }) => hasStore,
    play: (_, node) => whileTrouble(node, () => sleep(300, 'pass' as const), sleep(4_000)),
  },
  /** Some requests end with an error, without an answer, or do not arrive. */
  storeErrors: {
    lots: 2,
    fits: ({ hasStore }) => hasStore,
    play: ({ random }, node) =>
      whileTrouble(node, () => troubles[Math.floor(random() * troubles.length)]!, sleep(4_000)),
  },
  /** Of all nodes. */
  restartStore: {
    lots: 2,
    fits: ({ hasStore }) => hasStore,
    play: async ({ store }) => store!.restart(),
  },
} satisfies Record<string, Fault>;

async function whileTrouble(node: TestNode, trouble: StoreProxy['trouble'], over: Promise<unknown>): Promise<void> {
  const store = storeOf(node);
  store.trouble = trouble;
  await over;
  store.trouble = null;
}

function storeOf({ store }: TestNode): StoreProxy {
  assert.ok(store !== null);
  return store;
}
