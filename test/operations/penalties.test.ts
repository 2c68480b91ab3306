/** What operators may name to forgive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readSource } from '../../operations/penalties.js';

test('an address, or a source as the list shows it', () => {
  assert.equal(readSource(' 192.0.2.7 '), '192.0.2.7');
  assert.equal(readSource('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(readSource('2001:db8::1'), '2001:db8::/64');
  assert.equal(readSource('2001:db8::/64'), '2001:db8::/64');
  assert.equal(readSource('192.0.2.7 acme'), '192.0.2.7');
  assert.equal(readSource('2001:db8:1:2::7 acme'), '2001:db8:1:2::/64');
  assert.equal(readSource('2001:db8:1::/48'), '2001:db8:1::/48');
  for (const text of ['', 'nonsense', '192.0.2.0/24', '192.0.2.7/64', '192.0.2'])
    assert.throws(() => readSource(text), { name: 'OperationError', code: 'usage' }, text);
});
