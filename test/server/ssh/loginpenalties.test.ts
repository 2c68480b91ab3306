/** Penalties of addresses that many clients share: who is still served, and how many guesses an attacker there has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKnownUsers } from '../../../server/ssh/knownusers.js';
import { type Attempt, LoginPenalties } from '../../../server/ssh/loginpenalties.js';
import { Penalties } from '../../../server/ssh/penalties.js';
import { createTurns } from '../../../server/ssh/turns.js';

const shared = '192.0.2.7';
const hourMs = 3_600_000;

function openRules() {
  const clock = { now: 1_000_000 };
  const now = () => clock.now;
  const known = createKnownUsers(now);
  const table = new Penalties({ now, longestPenaltyMs: 600_000 });
  const rules = new LoginPenalties(table, known, now);
  const attemptOf = (user: string, credential = `key of ${user}`, source = shared): Attempt => ({
    ...{ source, user, credential },
    kind: credential.startsWith('password:') ? 'password' : 'key',
  });
  /** One connection with one wrong key. Returns how it ended. */
  const fail = (user: string, source = shared): 'closed' | 'not checked' | 'checked' => {
    if (rules.admit(source).waitMs > 0) return 'closed';
    const isChecked = rules.waitMs(attemptOf(user, 'a wrong key', source)) === 0;
    rules.charge(source, isChecked ? 'wrong keys' : 'left without a login', user);
    return isChecked ? 'checked' : 'not checked';
  };
  const isServed = (attempt: Attempt) => rules.admit(attempt.source).waitMs === 0 && rules.waitMs(attempt) === 0;
  const login = (user: string, source = shared) => rules.recordLogin(attemptOf(user, undefined, source));
  return { clock, known, table, rules, attemptOf, fail, isServed, login };
}

test('at an address from which others log in, wrong keys of one user count for that user alone', () => {
  const { attemptOf, fail, isServed, login } = openRules();
  login('acme');
  const outcomes = Array.from({ length: 15 }, () => fail('globex'));
  assert.deepEqual(outcomes, [...Array(4).fill('checked'), ...Array(11).fill('not checked')]);
  assert.ok(isServed(attemptOf('acme')));
  assert.ok(isServed(attemptOf('acme', 'another key of acme')));
  assert.ok(isServed(attemptOf('initech')), 'a user who never logged in there');
  assert.ok(!isServed(attemptOf('globex')), 'the one who failed, until the penalty ends');
});

test('a key that logged in from there is served whatever others do, also under its own name', () => {
  const { attemptOf, fail, isServed, login, clock } = openRules();
  login('acme');
  for (let count = 0; count < 200; count++) fail(count % 2 === 0 ? 'acme' : `guess${count}`);
  assert.ok(!isServed(attemptOf('acme', 'a new key')));
  clock.now += 1000;
  assert.ok(isServed(attemptOf('acme')));
  // A password can be guessed by one who knows its name, which is no secret.
  login('acme');
  const { rules, ...other } = openRules();
  rules.recordLogin({ source: shared, user: 'acme', credential: 'password:aaaaaaaa' });
  assert.ok(other.isServed(other.attemptOf('acme', 'password:aaaaaaaa')));
  for (let count = 0; count < 4; count++) other.fail('acme');
  assert.ok(!other.isServed(other.attemptOf('acme', 'password:aaaaaaaa')));
});

test('an address from which no organization logged in within a day is closed, as before', () => {
  const { attemptOf, fail, isServed, login, clock } = openRules();
  login('acme');
  clock.now += 25 * hourMs;
  assert.deepEqual(
    Array.from({ length: 6 }, (_, index) => fail(`name${index}`)),
    [...Array(4).fill('checked'), 'closed', 'closed'],
  );
  assert.ok(!isServed(attemptOf('acme')));
});

test('a shared address with a penalty may open a bounded number of connections a second', () => {
  const { rules, fail, login, clock } = openRules();
  login('acme');
  while (fail('globex') !== 'closed');
  const countAdmitted = () => {
    let admitted = 0;
    while (rules.admit(shared).waitMs === 0) admitted++;
    return admitted;
  };
  countAdmitted();
  clock.now += 1000;
  assert.equal(countAdmitted(), 10);
  clock.now += 100_000;
  assert.ok(rules.admit(shared).waitMs === 0);
});

const minutes = 4;
/** Twenty connections a second. */
const attempts = 20 * 60 * minutes;

/** Wrong keys that are checked in that time. */
function countGuesses(
  users: number,
  nameOf: (attempt: number) => string,
  eachMinute = (_open: ReturnType<typeof openRules>) => {},
) {
  const open = openRules();
  for (let user = 0; user < users; user++) open.login(`user${user}`);
  let guesses = 0;
  let connections = 0;
  for (let attempt = 0; attempt < attempts; attempt++) {
    open.clock.now += 50;
    if (attempt % 1200 === 0) eachMinute(open);
    const outcome = open.fail(nameOf(attempt));
    if (outcome !== 'closed') connections++;
    if (outcome === 'checked') guesses++;
  }
  return { guesses, connections };
}

test('guessers gain nothing from a shared address, whichever names they use', (t) => {
  const alone = countGuesses(0, () => 'acme').guesses;
  // The bound that held before user names counted: four times the points for each penalty of an address.
  const clock = { now: 1_000_000 };
  const table = new Penalties({ now: () => clock.now, longestPenaltyMs: 600_000 });
  let before = 0;
  for (let attempt = 0; attempt < attempts; attempt++) {
    clock.now += 50;
    if (table.remainingMs(shared) > 0) continue;
    before++;
    table.charge(shared, 'wrong keys', 4);
  }
  const everyLogin = (open: ReturnType<typeof openRules>) => {
    for (let user = 0; user < 100; user++) open.login(`user${user}`);
  };
  const cases = {
    'one name': countGuesses(1, () => 'acme'),
    'a new name each time': countGuesses(1, (attempt) => `guess${attempt}`),
    'the names of 100 users there in turn': countGuesses(100, (attempt) => `user${attempt % 100}`),
    'the same, who log in each minute': countGuesses(100, (attempt) => `user${attempt % 100}`, everyLogin),
    'passwords typed as names': countGuesses(1, (attempt) => `My Secret ${attempt}`),
  };
  t.diagnostic(
    `checked in ${minutes} minutes: ${alone} from an unknown address; at most ${before} from a shared one before`,
  );
  for (const [name, { guesses, connections }] of Object.entries(cases)) {
    t.diagnostic(`${name}: ${guesses} checked, ${connections} connections`);
    assert.ok(guesses <= before, `${name}: ${guesses} instead of ${before}`);
    // The processor time of key exchanges is bounded as well.
    assert.ok(connections <= 11 * 60 * minutes, `${name}: ${connections} connections`);
  }
});

test('who logs in between the guesses guesses no more often', () => {
  const open = openRules();
  open.login('mallory');
  let checked = 0;
  for (let count = 0; count < 100; count++) {
    open.login('mallory');
    if (open.fail(`guess${count}`) === 'checked') checked++;
  }
  assert.equal(checked, 13);
});

test('a guesser with many /64s of one IPv6 /48 is slowed; networks in it that log in are not', () => {
  const { attemptOf, fail, isServed, login, clock } = openRules();
  const sourceAt = (subnet: number) => `2001:db8:1:${subnet.toString(16)}::/64`;
  login('acme', sourceAt(0xaaaa));
  const outcomes = Array.from({ length: 24 }, (_, index) => fail('globex', sourceAt(index + 1)));
  assert.deepEqual(outcomes, [...Array(13).fill('checked'), ...Array(11).fill('closed')]);
  assert.ok(isServed(attemptOf('acme', undefined, sourceAt(0xaaaa))));
  assert.ok(isServed(attemptOf('acme', undefined, '2001:db8:2::/64')), 'another /48');
  // Each /64 once, for an hour.
  let checked = 0;
  for (let subnet = 0x1000; subnet < 0x1000 + 3600; subnet++) {
    clock.now += 1000;
    if (fail('globex', sourceAt(subnet)) === 'checked') checked++;
  }
  assert.ok(checked < 200, `${checked} of 3600`);
});

test('what is remembered of logins is bounded for each organization, and of no other', () => {
  const clock = { now: 1_000_000 };
  const known = createKnownUsers(() => clock.now);
  known.remember(shared, 'acme', 'key', clock.now);
  for (let count = 0; count < 10_000; count++) {
    const source = `10.0.${count >> 8}.${count & 255}`;
    known.remember(source, 'mallory', 'key', clock.now);
  }
  const left = Array.from({ length: 10_000 }, (_, count) => `10.0.${count >> 8}.${count & 255}`);
  assert.equal(left.filter((source) => known.hasMet(source)).length, 64);
  assert.ok(known.has(shared, 'acme', 'key'));
  assert.equal(known.countUsers(shared), 1);
  // From the same address with many keys: it is known while one of them is.
  for (let count = 0; count < 200; count++) known.remember('192.0.2.9', 'mallory', `key${count}`, clock.now);
  assert.deepEqual(
    [known.has('192.0.2.9', 'mallory', 'key199'), known.has('192.0.2.9', 'mallory', 'key0')],
    [true, false],
  );
  assert.equal(known.countUsers('192.0.2.9'), 1);
  clock.now += 25 * hourMs;
  assert.deepEqual(
    [known.countUsers(shared), known.has(shared, 'acme', 'key'), known.hasMet(shared)],
    [0, false, true],
  );
  clock.now += 40 * 24 * hourMs;
  known.remember('198.51.100.1', 'acme', 'key', clock.now);
  assert.equal(known.hasMet(shared), false);
});

test('turns: so many at once of each source, the others in order, and none for a connection that left', async () => {
  const turns = createTurns(2);
  const granted: string[] = [];
  const take = (name: string, source = shared) => {
    const turn = turns.take(source);
    void turn.granted.then(() => granted.push(name));
    return turn;
  };
  const [a, , c, d] = [take('a'), take('b'), take('c'), take('d')];
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await settle();
  assert.deepEqual(granted, ['a', 'b']);
  c.release();
  a.release();
  await settle();
  assert.deepEqual(granted, ['a', 'b', 'd']);
  take('other', '192.0.2.8');
  d.release();
  take('e');
  await settle();
  assert.deepEqual(granted, ['a', 'b', 'd', 'other', 'e']);
});
