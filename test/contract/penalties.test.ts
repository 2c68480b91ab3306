/** Penalties in the control database: two nodes, a restart, and pardons. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { clearPenalties, listNewPardons, listPenalties, pardon, putPenalties } from '../../db/control/penalties.js';
import { Penalties } from '../../server/ssh/penalties.js';
import { startPenaltySync } from '../../server/ssh/penaltysync.js';
import { onEveryDatabase } from '../support/databases.js';
import { until } from '../support/session.js';
import { openScope, type Scope } from '../support/temporary.js';

/** Of the clock, which stands still: no penalty ends by itself, however slow the machine is. */
const at = Date.now();

/** A database that takes no penalties for a while. */
function awayFor(control: Db) {
  const away = { isAway: false, failures: 0, control };
  const transaction = (...given: unknown[]) => {
    if (!away.isAway) return Reflect.apply(control.write.transaction, control.write, given);
    away.failures++;
    return Promise.reject(new Error('the connection was refused'));
  };
  const write = new Proxy(control.write, {
    get: (target, name) => (name === 'transaction' ? transaction : Reflect.get(target, name)),
  });
  away.control = { ...control, write };
  return away;
}

onEveryDatabase('penalties', (open) => {
  const openNode = async (scope: Scope, control: Db) => {
    const now = () => at;
    const penalties = new Penalties({ now, longestPenaltyMs: 600_000 });
    const deps = { control, logger: createSilentLogger(), now, everyMs: 20 };
    const penaltySync = await startPenaltySync(penalties, deps);
    scope.after(() => penaltySync.stop());
    const misbehave = (source: string) => {
      for (;;) {
        const penalty = penalties.charge(source, 'wrong keys');
        if (penalty !== null) return penaltySync.announce(penalty);
      }
    };
    return { penalties, misbehave };
  };
  type Node = Awaited<ReturnType<typeof openNode>>;

  /** Until each node has read and written more than once since the call. */
  const exchange = async (...nodes: Node[]) => {
    for (const round of [1, 2])
      for (const [index, node] of nodes.entries()) {
        const marker = `203.0.113.${++markers}`;
        node.misbehave(marker);
        const knows = ({ penalties }: Node) => penalties.remainingMs(marker) > 0;
        await until(() => nodes.every(knows), `all to know the marker ${round} of node ${index}`);
      }
  };
  let markers = 0;

  /** Pardons an address under a number that may be lower than one that was seen: as of a transaction that commits late. */
  const pardonAs = (control: Db, id: number, source: string) =>
    control.transact(async (tx) => {
      await pardon(tx, source, at);
      await tx('pardons').where({ source }).update({ id });
    });

  test('nodes share penalties, also after a restart, and obey pardons', async (t) => {
    // Registered first, so that they stop before the database is closed.
    const nodesEnd = openScope();
    t.after(() => nodesEnd.close());
    const { control } = await open(t);
    const one = await openNode(nodesEnd, control);
    const two = await openNode(nodesEnd, control);
    one.misbehave('192.0.2.7');
    one.misbehave('2001:db8::/64');
    two.misbehave('192.0.2.9');
    const count = (penalties: Penalties) =>
      ['192.0.2.7', '2001:db8::/64', '192.0.2.9'].filter((source) => penalties.remainingMs(source) > 0).length;
    await until(() => count(one.penalties) === 3 && count(two.penalties) === 3, 'both nodes to know all penalties');
    const restarted = await openNode(nodesEnd, control);
    assert.equal(count(restarted.penalties), 3);
    const listed = await listPenalties(control.read, at, 10);
    assert.deepEqual(listed.map(({ source }) => source).sort(), ['192.0.2.7', '192.0.2.9', '2001:db8::/64']);

    assert.equal(await control.transact((tx) => pardon(tx, '192.0.2.7', at)), 1);
    assert.equal(await control.transact((tx) => pardon(tx, '198.51.100.1', at)), 0);
    const nodes = [one, two, restarted].map(({ penalties }) => penalties);
    await until(() => nodes.every((penalties) => count(penalties) === 2), 'every node to forgive one');
    assert.equal(await control.transact((tx) => pardon(tx, null, at)), 2);
    await until(() => nodes.every((penalties) => count(penalties) === 0), 'every node to forgive all');
    one.misbehave('192.0.2.7');
    await until(() => two.penalties.remainingMs('192.0.2.7') > 0, 'a penalty after a pardon');
  });

  test('a pardon of an address ends what its nodes have not written yet, of the user names at it too', async (t) => {
    const nodesEnd = openScope();
    t.after(() => nodesEnd.close());
    const { control } = await open(t);
    const away = awayFor(control);
    const [one, two] = [await openNode(nodesEnd, away.control), await openNode(nodesEnd, control)];
    away.isAway = true;
    for (const source of ['192.0.2.7', '192.0.2.7 acme', '192.0.2.70 acme']) one.misbehave(source);
    await until(() => away.failures > 1, 'a write that fails twice');
    await control.transact((tx) => pardon(tx, '192.0.2.7', at));
    away.isAway = false;
    await until(() => two.penalties.remainingMs('192.0.2.70 acme') > 0, 'the penalty whose write had failed');
    await exchange(one, two);
    for (const { penalties } of [one, two])
      for (const source of ['192.0.2.7', '192.0.2.7 acme']) assert.equal(penalties.remainingMs(source), 0, source);
  });

  test('a pardon whose number is lower than one that was seen counts, and each counts once', async (t) => {
    const nodesEnd = openScope();
    t.after(() => nodesEnd.close());
    const { control } = await open(t);
    const nodes = [await openNode(nodesEnd, control), await openNode(nodesEnd, control)];
    const [one, two] = nodes as [Node, Node];
    for (const source of ['192.0.2.7', '192.0.2.8']) one.misbehave(source);
    await exchange(one, two);
    const isKnown = (source: string) => nodes.map(({ penalties }) => penalties.remainingMs(source) > 0);
    await pardonAs(control, 306, '192.0.2.7');
    await until(() => !isKnown('192.0.2.7').includes(true), 'the first pardon');
    one.misbehave('192.0.2.7');
    await pardonAs(control, 305, '192.0.2.8');
    await until(() => !isKnown('192.0.2.8').includes(true), 'the pardon with the lower number');
    nodes.push(await openNode(nodesEnd, control));
    await exchange(...nodes);
    assert.deepEqual(isKnown('192.0.2.7'), [true, true, true]);
    assert.deepEqual(isKnown('192.0.2.8'), [false, false, false]);
  });

  test('a pardon of an address includes the user names at it, and no other address', async (t) => {
    const { control } = await open(t);
    const penalty = { until: at + 60_000, strikes: 1, cause: 'wrong keys', beganAt: at };
    const sources = ['192.0.2.7', '192.0.2.7 acme', '192.0.2.7 globex', '192.0.2.70 acme', '2001:db8::/64 acme'];
    await putPenalties(
      control.write,
      sources.map((source) => ({ ...penalty, source })),
    );
    assert.equal(await control.transact((tx) => pardon(tx, '192.0.2.7', at)), 3);
    const left = await listPenalties(control.read, at, 10);
    assert.deepEqual(left.map(({ source }) => source).sort(), ['192.0.2.70 acme', '2001:db8::/64 acme']);
  });

  test('a newer penalty takes the place of the older one, and what is over is cleared away', async (t) => {
    const { control } = await open(t);
    const penalty = { source: '192.0.2.7', until: 5000, strikes: 1, cause: 'wrong keys', beganAt: 1000 };
    await putPenalties(control.write, [penalty, { ...penalty, source: '192.0.2.8' }]);
    await putPenalties(control.write, [
      { ...penalty, until: 9000, strikes: 2 },
      { ...penalty, until: 8000 },
    ]);
    assert.deepEqual(
      (await listPenalties(control.read, 0, 10)).map(({ source, until: end }) => [source, end]),
      [
        ['192.0.2.7', 8000],
        ['192.0.2.8', 5000],
      ],
    );
    await control.transact((tx) => pardon(tx, '192.0.2.1', 4000));
    await clearPenalties(control.write, 6000);
    assert.deepEqual(
      (await listPenalties(control.read, 0, 10)).map(({ source }) => source),
      ['192.0.2.7'],
    );
    assert.deepEqual(await listNewPardons(control.read, 0), []);
  });
});
