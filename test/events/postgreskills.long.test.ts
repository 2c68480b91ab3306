/** A real PostgreSQL server that is killed at each step of a delivery and started again: at least once, in order, none invented. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { settingsSchema } from '../../config/settings.js';
import type { DeliveryStep } from '../../events/attempt.js';
import { Company } from '../support/company.js';
import { openBoth, type TestDatabases } from '../support/databases.js';
import { fillOutbox, firsts } from '../support/eventorder.js';
import { deliverTo, Receiver, subscribe } from '../support/events.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

interface PostgresServer {
  url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const rounds = Number(process.env.TEST_KILLS ?? 1);

async function openOn({ url }: PostgresServer, scope: Scope): Promise<TestDatabases> {
  const settings = settingsSchema.parse({ data: temporaryFolder(scope), database: url, databasePool: 4 });
  return openBoth(scope, settings);
}

test('a PostgreSQL server that is killed during deliveries loses and invents no event', {
  timeout: 60_000 + rounds * 60_000,
}, async (t) => {
  // Not through types: the runner of the tests is no TypeScript.
  const { startPostgres } = await import(join(import.meta.dirname, '../../scripts/postgres.mjs'));
  const server: PostgresServer = await startPostgres();
  t.after(() => server.stop());
  const acme = await Company.open((scope) => openOn(server, scope), t);
  const { databases } = acme;
  const subscribers = Array.from({ length: rounds }, (_, n) => `s${n}`);
  for (const id of subscribers) await subscribe(databases, { id, options: { batch: 3 } });
  let expected = await fillOutbox(acme);
  const left: DeliveryStep[] = Array.from({ length: rounds }, () => ['begun', 'sent', 'noted'] as const).flat();
  const receiver = new Receiver();
  let filled: Promise<unknown> = Promise.resolve();
  // No batch arrives meanwhile: else a slow machine delivers all there is before the database may be killed.
  receiver.answer = () => filled.then(() => ({ result: 'delivered', detail: 'ok' }) as const);
  const lines: string[] = [];
  t.after(() => t.diagnostic(`${left.length} kills left\n${lines.slice(-20).join('\n')}`));
  let isEven = false;
  let isFilling = false;
  let restarted = Promise.resolve();
  const deliveries = deliverTo(t, databases, receiver, {
    now: Date.now,
    onStep: async (step) => {
      // Not at once after the last one: so that events are delivered in between.
      isEven = !isEven;
      if (step !== left[0] || isEven || isFilling) return;
      left.shift();
      lines.push(`${Math.round(performance.now())} killed at ${step}`);
      const killed = restarted.then(() => server.kill());
      // The delivery continues without the database.
      restarted = killed.then(() => server.restart());
      await killed;
    },
  });
  const hasAll = (subscriber: string) => receiver.events(subscriber).some(({ id }) => id === expected.at(-1));
  for (;;) {
    await receiver.until(() => subscribers.every(hasAll));
    await restarted;
    if (left.length === 0) break;
    // All was delivered before the last kill: there is more to deliver.
    isFilling = true;
    const filling = fillOutbox(acme);
    filled = filling;
    expected = await filling;
    isFilling = false;
  }
  await deliveries.stop();
  assert.deepEqual(left, [], 'it was killed at each step');
  for (const subscriber of subscribers) {
    const ids = receiver.events(subscriber).map(({ id }) => id);
    assert.deepEqual(firsts(ids), expected);
  }
  assert.ok(receiver.events().length > rounds * expected.length, 'some were repeated');
});
