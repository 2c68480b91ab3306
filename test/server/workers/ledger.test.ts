import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ledger } from '../../../server/workers/ledger.js';
import type { FrontMessage } from '../../../server/workers/messages.js';

const org = { id: 'acme', options: {} };

function openLedger() {
  const told: [string, FrontMessage][] = [];
  const caps = { maxConnectionsPerOrg: 1, maxSessionsPerOrg: 1, maxHandlesPerOrg: 1 };
  const ledger = new Ledger<string>(caps, (worker, message) => told.push([worker, message]), Date.now);
  ledger.add('one');
  ledger.add('two');
  return { ledger, told };
}

test('messages of a worker that arrive after its end leave nothing behind', () => {
  const { ledger, told } = openLedger();
  ledger.remove('one');
  assert.equal(ledger.join('one', org), null);
  ledger.useInAll('one', 1_000_000);
  ledger.add('three');
  assert.deepEqual(told.at(-1), ['three', { type: 'othersTotal', bytes: 0 }]);
  assert.notEqual(ledger.join('two', org), null);
});

test('a worker that ends gives back the connections and sessions of its organizations', () => {
  const { ledger } = openLedger();
  assert.notEqual(ledger.join('one', org), null);
  assert.equal(ledger.openSession('one', 'acme'), true);
  assert.equal(ledger.join('two', org), null);
  ledger.remove('one');
  assert.notEqual(ledger.join('two', org), null);
  assert.equal(ledger.openSession('two', 'acme'), true);
});
