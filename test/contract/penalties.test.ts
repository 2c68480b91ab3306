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

onEveryDatabase('penalties', (open) => {
  const openNode = async (scope: Scope, control: Db) => {
    const penalties = new Penalties({ now: Date.now, longestPenaltyMs: 600_000 });
    const penaltySync = await startPenaltySync(penalties, { control, logger: createSilentLogger(), now: Date.now });
    scope.after(() => penaltySync.stop());
    const misbehave = (source: string) => {
      for (;;) {
        const penalty = penalties.charge(source, 'wrong keys');
        if (penalty !== null) return penaltySync.announce(penalty);
      }
    };
    return { penalties, misbehave };
  };

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
    const listed = await listPenalties(control.read, Date.now(), 10);
    assert.deepEqual(listed.map(({ source }) => source).sort(), ['192.0.2.7', '192.0.2.9', '2001:db8::/64']);

    assert.equal(await control.transact((tx) => pardon(tx, '192.0.2.7', Date.now())), 1);
    assert.equal(await control.transact((tx) => pardon(tx, '198.51.100.1', Date.now())), 0);
    const nodes = [one, two, restarted].map(({ penalties }) => penalties);
    await until(() => nodes.every((penalties) => count(penalties) === 2), 'every node to forgive one');
    assert.equal(await control.transact((tx) => pardon(tx, null, Date.now())), 2);
    await until(() => nodes.every((penalties) => count(penalties) === 0), 'every node to forgive all');
    one.misbehave('192.0.2.7');
    await until(() => two.penalties.remainingMs('192.0.2.7') > 0, 'a penalty after a pardon');
  });

  test('a pardon of an address includes the user names at it, and no other address', async (t) => {
    const { control } = await open(t);
    const penalty = { until: Date.now() + 60_000, strikes: 1, cause: 'wrong keys', beganAt: Date.now() };
    const sources = ['192.0.2.7', '192.0.2.7 acme', '192.0.2.7 globex', '192.0.2.70 acme', '2001:db8::/64 acme'];
    await putPenalties(
      control.write,
      sources.map((source) => ({ ...penalty, source })),
    );
    assert.equal(await control.transact((tx) => pardon(tx, '192.0.2.7', Date.now())), 3);
    const left = await listPenalties(control.read, Date.now(), 10);
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
