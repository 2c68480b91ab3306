/** Where a key may log in from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allowsSource, createAddressSet, parseSources, plainAddress } from '../../../keys/login/addresses.js';

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

test('a range that hides a mistake is refused, with the two ways to write it', () => {
  const mistakes: Record<string, string> = {
    '127.0.0.1/0': 'write 0.0.0.0/0 for the range, or 127.0.0.1 for the address',
    '192.0.2.7/24': 'write 192.0.2.0/24 for the range, or 192.0.2.7 for the address',
    '10.1.2.3/9': 'write 10.0.0.0/9 for the range, or 10.1.2.3 for the address',
    '2001:db8::1/64': 'write 2001:db8::/64 for the range, or 2001:db8::1 for the address',
    '2001:db8:ffff::/33': 'write 2001:db8:8000::/33 for the range, or 2001:db8:ffff:: for the address',
    'fe80::1%eth0': 'names a network interface, which says nothing about the client: write fe80::1',
    'fe80::%eth0/10': 'names a network interface, which says nothing about the client: write fe80::/10',
    '::ffff:192.0.2.7': 'is an IPv4 address in IPv6 form: write 192.0.2.7',
    '::ffff:c000:207/120': 'is an IPv4 address in IPv6 form: write 192.0.2.0/24',
    '::ffff:10.0.0.0/104': 'is an IPv4 address in IPv6 form: write 10.0.0.0/8',
  };
  for (const [text, sentence] of Object.entries(mistakes))
    assert.throws(
      () => parseSources(text),
      (error: Error) => error.message.startsWith(`${text} `) && error.message.endsWith(sentence),
      text,
    );
  for (const fine of ['0.0.0.0/0', '::/0', '10.0.0.0/8', '2001:db8:8000::/33', 'fe80::/10', '::ffff:0:0:0/80'])
    assert.deepEqual(parseSources(fine), [fine]);
});

test('every notation of an address is one address', () => {
  const notations: Record<string, string[]> = {
    '192.0.2.7': [
      '::ffff:192.0.2.7',
      '::FFFF:192.0.2.7',
      '::ffff:c000:207',
      '0:0:0:0:0:ffff:c000:0207',
      '0::ffff:192.0.2.7',
    ],
    '2001:db8::1': ['2001:DB8:0:0:0:0:0:1', '2001:0db8::0001', '2001:db8::1%eth0', '2001:db8::0.0.0.1'],
    '::1': ['0:0:0:0:0:0:0:1', '::0.0.0.1'],
  };
  for (const [plain, others] of Object.entries(notations))
    for (const other of [plain, ...others]) {
      assert.equal(plainAddress(other), plain, other);
      assert.equal(allowsSource([`${plain}/${plain.includes(':') ? 128 : 32}`], other), true, other);
    }
  assert.equal(plainAddress('nonsense'), 'nonsense');
});
