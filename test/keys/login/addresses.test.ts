/** Where a key may log in from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowsSource, createAddressSet, parseSources } from '../../../keys/login/addresses.js';

test('ranges and addresses are read, and what is none is named', () => {
  assert.deepEqual(parseSources('10.0.0.0/8, 192.0.2.7,2001:db8::/32,::1'), [
    '10.0.0.0/8',
    '192.0.2.7/32',
    '2001:db8::/32',
    '::1/128',
  ]);
  for (const wrong of ['10.0.0.0/33', 'example.com', '10.0.0/8', '::/129', '1.2.3.4/x', '1.2.3.4/8/8', '1.2.3.4/'])
    assert.throws(() => parseSources(`::1,${wrong}`), { code: 'malformed', message: /is no address range/ });
});

test('an address is allowed when a range holds it, or when there is none', () => {
  const sources = parseSources('10.0.0.0/8,2001:db8::/32');
  assert.equal(allowsSource([], null), true);
  assert.equal(allowsSource(sources, null), false);
  for (const inside of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::5', '2001:db8::5%eth0'])
    assert.equal(allowsSource(sources, inside), true, inside);
  for (const outside of ['11.0.0.1', '::ffff:11.0.0.1', '2001:db9::1', 'nonsense'])
    assert.equal(allowsSource(sources, outside), false, outside);
});

test('a set holds the addresses of its ranges, and none when it is empty', () => {
  const proxies = createAddressSet(['192.0.2.7', ' 10.0.0.0/8', '2001:db8::/32']);
  for (const inside of ['192.0.2.7', '::ffff:192.0.2.7', '10.9.9.9', '2001:db8::1%eth0'])
    assert.ok(proxies.has(inside));
  for (const outside of ['192.0.2.8', '', 'nonsense', null]) assert.equal(proxies.has(outside), false);
  assert.equal(createAddressSet([]).has('192.0.2.7'), false);
});
