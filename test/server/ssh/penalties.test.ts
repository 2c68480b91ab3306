/** Penalties: their causes, their length, and their independence of a flood of clients. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainAddress } from '../../../keys/login/addresses.js';
import { Penalties } from '../../../server/ssh/penalties.js';
import { networkOf, sourceOf } from '../../../server/ssh/source.js';
import { StartupLimits } from '../../../server/ssh/startuplimits.js';

function openPenalties(sets?: number) {
  const clock = { now: 1_000_000 };
  const options = { now: () => clock.now, longestPenaltyMs: 600_000, ...(sets === undefined ? {} : { sets }) };
  return { clock, penalties: new Penalties(options) };
}

/** Seconds of the penalty that the offences end in. */
function chargeUntilPenalty(penalties: Penalties, source: string, most = 100): { offences: number; source: string } {
  for (let offences = 1; offences <= most; offences++)
    if (penalties.charge(source, 'wrong keys') !== null) return { offences, source };
  return { offences: Number.POSITIVE_INFINITY, source };
}

test('a penalty of a clock that was ahead ends, here and where another node has begun it', () => {
  const { clock, penalties } = openPenalties();
  const rightNow = clock.now;
  clock.now += 365 * 86_400_000;
  for (let turn = 0; turn < 4; turn++) penalties.charge('192.0.2.7', 'wrong keys');
  const until = clock.now + 15_000;
  clock.now = rightNow;
  assert.equal(penalties.remainingMs('192.0.2.7'), 600_000);
  clock.now += 600_000;
  assert.equal(penalties.remainingMs('192.0.2.7'), 0);
  for (let turn = 0; turn < 3; turn++) {
    penalties.impose({ source: '192.0.2.8', until, strikes: 1 });
    assert.equal(penalties.remainingMs('192.0.2.8'), 0);
  }
  penalties.impose({ source: '192.0.2.8', until: clock.now + 601_000, strikes: 1 });
  assert.equal(penalties.remainingMs('192.0.2.8'), 600_000, 'the other clock is a second ahead');
});

test('the fourth wrong key within seconds begins a penalty, later ones are longer, up to the longest', () => {
  const { clock, penalties } = openPenalties();
  const seconds: number[] = [];
  for (let round = 0; round < 9; round++) {
    assert.equal(chargeUntilPenalty(penalties, '192.0.2.7').offences, 4);
    seconds.push(penalties.remainingMs('192.0.2.7') / 1000);
    assert.equal(penalties.charge('192.0.2.7', 'wrong keys'), null, 'what was under way adds nothing');
    clock.now += penalties.remainingMs('192.0.2.7');
    assert.equal(penalties.remainingMs('192.0.2.7'), 0);
  }
  assert.deepEqual(seconds, [15, 30, 60, 120, 240, 480, 600, 600, 600]);
  assert.equal(penalties.remainingMs('192.0.2.8'), 0, 'no other address has one');
});

test('points and penalties are forgotten with time', () => {
  const { clock, penalties } = openPenalties();
  for (let minute = 0; minute < 100; minute++) {
    clock.now += 60_000;
    assert.equal(penalties.charge('192.0.2.7', 'wrong keys'), null, 'a job with the wrong key, each minute');
  }
  for (let count = 0; count < 1000; count++) {
    clock.now += 5000;
    assert.equal(penalties.charge('192.0.2.9', 'left without a login'), null, 'a health check, every five seconds');
  }
  chargeUntilPenalty(penalties, '192.0.2.7');
  clock.now += 15_000;
  chargeUntilPenalty(penalties, '192.0.2.7');
  assert.equal(penalties.remainingMs('192.0.2.7'), 30_000);
  clock.now += 30_000 + 2 * 600_000;
  chargeUntilPenalty(penalties, '192.0.2.7');
  assert.equal(penalties.remainingMs('192.0.2.7'), 15_000);
});

test('a clock that is set back neither begins nor lengthens a penalty', () => {
  const { clock, penalties } = openPenalties();
  penalties.charge('192.0.2.7', 'wrong keys');
  clock.now -= 3_600_000;
  assert.equal(penalties.charge('192.0.2.7', 'wrong keys'), null);
  chargeUntilPenalty(penalties, '192.0.2.9');
  clock.now -= 24 * 3_600_000;
  assert.equal(penalties.remainingMs('192.0.2.9'), 600_000);
});

test('a login removes points, a pardon also ends penalties, with those of user names', () => {
  const { penalties } = openPenalties();
  for (let count = 0; count < 3; count++) penalties.charge('192.0.2.7', 'wrong keys');
  penalties.clearPoints(['192.0.2.7', '192.0.2.1']);
  for (let count = 0; count < 3; count++) assert.equal(penalties.charge('192.0.2.7', 'wrong keys'), null);
  chargeUntilPenalty(penalties, '192.0.2.8');
  chargeUntilPenalty(penalties, '192.0.2.9');
  chargeUntilPenalty(penalties, '192.0.2.8 acme');
  chargeUntilPenalty(penalties, '192.0.2.80 acme');
  penalties.forgive('192.0.2.8');
  assert.equal(penalties.remainingMs('192.0.2.8 acme'), 0);
  assert.ok(penalties.remainingMs('192.0.2.80 acme') > 0);
  assert.deepEqual([penalties.remainingMs('192.0.2.8'), penalties.remainingMs('192.0.2.9') > 0], [0, true]);
  penalties.forgiveAll();
  assert.equal(penalties.remainingMs('192.0.2.9'), 0);
});

test('a flood of sources takes no more memory, and ends no penalty', () => {
  const { penalties } = openPenalties(4);
  const penalized = Array.from({ length: 8 }, (_, index) => `192.0.2.${index}`);
  for (const source of penalized) chargeUntilPenalty(penalties, source);
  const held = penalized.filter((source) => penalties.remainingMs(source) > 0);
  assert.ok(held.length >= 4, 'all but where a set was full');
  for (let count = 0; count < 20_000; count++)
    penalties.charge(`10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`, 'not the SSH protocol');
  for (const source of held) assert.ok(penalties.remainingMs(source) > 0, source);
  // The other family has a table of its own.
  assert.equal(chargeUntilPenalty(penalties, '2001:db8::/64').offences, 4);
});

test('an IPv6 client counts by its /64, a mapped one as IPv4', () => {
  const same = ['2001:db8:0:7::1', '2001:db8:0:7:ffff:1:2:3', '2001:0db8::7:0:0:0:9'].map(sourceOf);
  assert.deepEqual(same, Array(3).fill('2001:db8:0:7::/64'));
  assert.equal(sourceOf('::1'), '0::/64');
  assert.equal(sourceOf('2001:db8::1'), '2001:db8::/64');
  assert.notEqual(sourceOf('2001:db8:0:8::1'), same[0]);
  assert.equal(sourceOf(plainAddress('::ffff:192.0.2.7')), '192.0.2.7');
  assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1');
});

test('connections without a login are capped for each source and in all, by a rising chance', () => {
  const newcomer = { users: 0, isExempt: false };
  let chance = 0.999;
  const startupLimits = new StartupLimits({ most: 10, mostPerSource: 3, random: () => chance });
  const enter = (source: string, who = newcomer) => startupLimits.enter(source, who);
  for (let count = 0; count < 3; count++) assert.equal(enter('a'), null);
  assert.match(enter('a') ?? '', /this address/);
  assert.equal(enter('a', { users: 0, isExempt: true }), null);
  startupLimits.leave('a');
  startupLimits.leave('a');
  assert.equal(enter('a'), null);
  for (let count = 0; count < 7; count++) assert.equal(enter(`s${count}`), null, 'good luck');
  assert.match(enter('b') ?? '', /too many connections/);
  assert.equal(enter('friend', { users: 1, isExempt: false }), null, 'a known address finds a place');
  startupLimits.leave('friend');
  for (let count = 0; count < 5; count++) startupLimits.leave(`s${count}`);
  chance = 0.16;
  assert.match(enter('b') ?? '', /too many/, 'one chance in six at half');
  startupLimits.leave('s5');
  assert.equal(enter('b'), null, 'none below');
});

test('the cap of an address grows with the organizations that log in from there', () => {
  const countAdmitted = (users: number) => {
    const startupLimits = new StartupLimits({ most: 100, mostPerSource: 20, random: () => 0.999 });
    let admitted = 0;
    while (startupLimits.enter('192.0.2.7', { users, isExempt: false }) === null) admitted++;
    for (let count = 0; count < admitted; count++) startupLimits.leave('192.0.2.7');
    assert.equal(startupLimits.enter('192.0.2.7', { users, isExempt: false }), null, 'room again');
    return admitted;
  };
  assert.deepEqual([0, 1, 2, 3, 45, 300].map(countAdmitted), [20, 60, 80, 100, 100, 320]);
});

test('the /64s of one IPv6 /48 share a cap of connections without a login', () => {
  const startupLimits = new StartupLimits({ most: 100, mostPerSource: 20, random: () => 0.999 });
  const enter = (subnet: number, users = 0) =>
    startupLimits.enter(`2001:db8:1:${subnet.toString(16)}::/64`, { users, isExempt: false });
  let admitted = 0;
  while (enter(admitted + 1) === null) admitted++;
  assert.equal(admitted, 40);
  assert.equal(enter(0xaaaa, 1), null, 'a network that logs in');
  assert.equal(startupLimits.enter('2001:db8:2::/64', { users: 0, isExempt: false }), null, 'another /48');
  for (let subnet = 1; subnet <= admitted; subnet++) startupLimits.leave(`2001:db8:1:${subnet.toString(16)}::/64`);
  assert.equal(enter(1), null);
});

test('the /48 of an IPv6 source', () => {
  const networks = ['2001:db8:1:7::1', '2001:db8:1::1', '2001:db8::1', '2001:db8:0:7::1', '::1', '192.0.2.7'];
  assert.deepEqual(
    networks.map((address) => networkOf(sourceOf(address))),
    ['2001:db8:1::/48', '2001:db8:1::/48', '2001:db8::/48', '2001:db8::/48', '0::/48', null],
  );
});
