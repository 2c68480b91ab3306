import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LateUsage } from '../../../server/workers/lateusage.js';

test('of many messages to a worker that does not answer one is left for each organization, with all that was spent', () => {
  const late = new LateUsage();
  for (let count = 1; count <= 1000; count++) {
    const usage = { handles: count, memory: 2 * count, up: 3, down: 4, records: 5 };
    assert.equal(late.hold({ type: 'others', org: 'acme', usage }), true);
    assert.equal(late.hold({ type: 'othersTotal', bytes: count }), true);
  }
  assert.equal(late.hold({ type: 'shared', org: 'acme', isShared: false }), false);
  assert.deepEqual(late.take(), [
    { type: 'others', org: 'acme', usage: { handles: 1000, memory: 2000, up: 3000, down: 4000, records: 5000 } },
    { type: 'othersTotal', bytes: 1000 },
  ]);
  assert.deepEqual(late.take(), []);
});
