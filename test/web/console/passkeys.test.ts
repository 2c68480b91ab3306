/** Passkeys: added after a recent sign-in, used once for each challenge, in one browser, on the console's own origin. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { inviteAccount, removePerson } from '../../../operations/accounts/people.js';
import { Authenticator, type Making } from '../../support/authenticator.js';
import {
  openTestConsole,
  origin,
  type Person,
  recordsOf,
  type Shown,
  type TestConsole,
} from '../../support/console.js';

const making: Making = { origin };

const cookieOf = ({ headers }: Shown, name: string) =>
  headers
    .getSetCookie()
    .find((line) => line.startsWith(`${name}=`))
    ?.split(/[=;]/)[1] ?? '';

async function optionsFor(person: Person): Promise<object> {
  const shown = await person.post('/account/passkeys/options', {});
  assert.match(shown.headers.get('content-type') ?? '', /^application\/json/, shown.text.slice(0, 500));
  return JSON.parse(shown.text) as object;
}

async function add(person: Person, key = new Authenticator(), more: Partial<Making> = {}): Promise<Authenticator> {
  const answer = key.create(await optionsFor(person), { ...making, ...more });
  const shown = await person.post('/account/passkeys', { name: 'work laptop', answer });
  assert.equal(shown.headers.get('location'), '/account?done=added', shown.text.slice(0, 3_000));
  return key;
}

interface Asked {
  options: object;
  cookie: string;
}

async function ask(site: TestConsole): Promise<Asked> {
  site.clock.ms += 60_000;
  const shown = await site.visitor().post('/sign-in/passkey/options', {});
  assert.equal(shown.status, 200);
  return { options: JSON.parse(shown.text) as object, cookie: cookieOf(shown, 'dropslot-flow') };
}

function send(site: TestConsole, answer: string, cookie: string): Promise<Shown> {
  site.clock.ms += 60_000;
  return site
    .visitor()
    .post('/sign-in/passkey', { answer, next: '/account' }, { headers: { cookie: `dropslot-flow=${cookie}` } });
}

async function signIn(site: TestConsole, key: Authenticator, more: Partial<Making> = {}): Promise<Shown> {
  const { options, cookie } = await ask(site);
  return send(site, key.get(options, { ...making, ...more }), cookie);
}

async function openSite(t: TestContext) {
  const site = await openTestConsole(t);
  return { site, person: await site.person('admin', 'acme') };
}

const isIn = async (site: TestConsole, shown: Shown) =>
  (await site.visitor(cookieOf(shown, 'dropslot')).get('/account')).status === 200;

test('a passkey is added, listed, signs in without a password, and is removed', async (t) => {
  const { site, person } = await openSite(t);
  const key = await add(person);
  const page = await person.get('/account');
  assert.match(page.text, /work laptop/);
  const { options } = await ask(site);
  assert.deepEqual(
    Object.keys(options).includes('allowCredentials') &&
      (options as { allowCredentials?: [] }).allowCredentials?.length,
    false,
  );
  const shown = await signIn(site, key);
  assert.deepEqual([shown.status, shown.headers.get('location')], [303, '/account']);
  assert.equal(await isIn(site, shown), true);
  const id = /name="id" value="(psk_[0-9a-f]+)"/.exec(page.text)![1]!;
  assert.equal(
    (await person.post('/account/passkeys/remove', { id })).headers.get('location'),
    '/account?done=removed',
  );
  assert.match((await signIn(site, key)).text, /can not be used here/);
  const records = await recordsOf(site);
  const mine = records
    .filter(({ action }) => /passkey|signed_in/.test(action))
    .map(({ action, detail }) => [action, JSON.parse(detail).method]);
  assert.deepEqual(mine.slice(-3), [
    ['account.passkey_added', undefined],
    ['account.signed_in', 'passkey'],
    ['account.passkey_removed', undefined],
  ]);
});

test('an answer of another origin, host, challenge or person, or without verification of the person, signs no one in', async (t) => {
  const { site, person } = await openSite(t);
  const key = await add(person);
  const wrong: Record<string, Partial<Making>> = {
    origin: { origin: 'http://console.test.evil.test' },
    'another port': { origin: 'http://console.test:8443' },
    https: { origin: 'https://console.test' },
    host: { rpId: 'evil.test' },
    challenge: { challenge: 'A'.repeat(43) },
    'not verified': { isUserVerified: false },
    'another person': { userHandle: Buffer.from('acc_0000000000000000').toString('base64url') },
  };
  for (const [name, more] of Object.entries(wrong)) {
    const shown = await signIn(site, key, more);
    assert.equal(shown.status, 422, name);
    assert.match(shown.text, /can not be used here/, name);
    assert.equal(cookieOf(shown, 'dropslot'), '', name);
  }
  for (const answer of ['', '{}', '[]', 'null', '{"id":1}', '{"id":"x","response":{}}', 'x'.repeat(30_000)]) {
    const { cookie } = await ask(site);
    assert.equal((await send(site, answer, cookie)).status, 422, answer.slice(0, 20));
  }
  for (const name of ['origin', 'host', 'challenge', 'not verified']) {
    site.clock.ms += 60_000;
    const answer = new Authenticator().create(await optionsFor(person), { ...making, ...wrong[name] });
    const shown = await person.post('/account/passkeys', { name: 'x', answer });
    assert.equal(shown.status, 422, name);
    assert.match(shown.text, /made no usable passkey/, name);
  }
  // The forms of other sites get no challenge.
  for (const path of ['/sign-in/passkey/options', '/account/passkeys/options'])
    assert.equal((await person.post(path, {}, { headers: { origin: 'http://evil.test' } })).status, 403);
  assert.equal(await isIn(site, await signIn(site, key)), true);
});

test('a challenge is used once, by the browser that got it, within five minutes', async (t) => {
  const { site, person } = await openSite(t);
  const key = await add(person);
  const one = await ask(site);
  const answer = key.get(one.options, making);
  const other = await ask(site);
  assert.match((await send(site, answer, other.cookie)).text, /can not be used here/);
  assert.match((await send(site, answer, '')).text, /has expired/);
  assert.equal(await isIn(site, await send(site, answer, one.cookie)), true);
  assert.match((await send(site, answer, one.cookie)).text, /has expired/);
  const both = await ask(site);
  const twice = key.get(both.options, making);
  const answers = await Promise.all([send(site, twice, both.cookie), send(site, twice, both.cookie)]);
  assert.equal(answers.filter(({ status }) => status === 303).length, 1);
  const late = await ask(site);
  site.clock.now += 5 * 60_000;
  assert.match((await send(site, key.get(late.options, making), late.cookie)).text, /has expired/);

  // That of another session of the same person is another one.
  const first = await site.person('viewer', 'acme');
  const second = await site.person('viewer', 'acme');
  const made = new Authenticator().create(await optionsFor(first), making);
  await optionsFor(second);
  assert.match((await second.post('/account/passkeys', { name: 'x', answer: made })).text, /made no usable passkey/);
  assert.equal((await first.post('/account/passkeys', { name: 'x', answer: made })).status, 303);
  assert.match((await first.post('/account/passkeys', { name: 'x', answer: made })).text, /has expired/);
});

test('an authenticator that counts must count on: a copy of it is refused', async (t) => {
  const { site, person } = await openSite(t);
  const key = await add(person, new Authenticator(), { counter: 5 });
  assert.equal(await isIn(site, await signIn(site, key, { counter: 6 })), true);
  for (const counter of [6, 3, 0]) assert.equal((await signIn(site, key, { counter })).status, 422, String(counter));
  const one = await ask(site);
  const two = await ask(site);
  const copies = await Promise.all([
    send(site, key.get(one.options, { ...making, counter: 7 }), one.cookie),
    send(site, key.get(two.options, { ...making, counter: 7 }), two.cookie),
  ]);
  assert.equal(copies.filter(({ status }) => status === 303).length, 1);
});

test('to add one needs a recent sign-in; an account has ten at most, and each one once', async (t) => {
  const { site, person } = await openSite(t);
  const first = await add(person);
  for (let n = 1; n < 10; n++) {
    site.clock.ms += 1_000;
    await add(person);
  }
  assert.match((await person.post('/account/passkeys/options', {})).text, /10 passkeys at most/);
  assert.match((await person.get('/account')).text, /can have no more/);
  const other = await site.person('admin', 'other');
  const again = first.create(await optionsFor(other), making);
  assert.match((await other.post('/account/passkeys', { name: 'x', answer: again })).text, /was added before/);
  for (const name of ['', ' ', 'x'.repeat(61), 'a\u202eb']) {
    const answer = new Authenticator().create(await optionsFor(other), making);
    assert.match((await other.post('/account/passkeys', { name, answer })).text, /needs a name/);
  }
  const made = new Authenticator().create(await optionsFor(other), making);
  site.clock.now += 16 * 60_000;
  assert.match((await other.post('/account/passkeys/options', {})).text, /sign in again/);
  assert.match((await other.post('/account/passkeys', { name: 'x', answer: made })).text, /sign in again/);
  assert.match((await other.get('/account')).text, /href="\/sign-in\?next=%2Faccount">sign in again/);
  // A session that a clock ahead has begun is not recent.
  site.clock.now -= 17 * 60_000;
  assert.match((await other.post('/account/passkeys/options', {})).text, /sign in again/);
});

test('a passkey ends with its account, and with a new invitation once that is used', async (t) => {
  const { site, person } = await openSite(t);
  const key = await add(person);
  await inviteAccount(site.place, { email: person.email, role: 'admin', org: 'acme' });
  assert.equal(await isIn(site, await signIn(site, key)), true);
  await removePerson(site.place, person.email);
  assert.equal((await signIn(site, key)).status, 422);
  const left = await site.place.control.read('account_passkeys').count({ all: '*' });
  assert.equal(Number(left[0]!.all), 0);
});

test('a console without a host name offers no passkeys', async (t) => {
  const site = await openTestConsole(t, { url: 'http://127.0.0.1:8023' });
  const shown = await site.visitor().get('/sign-in');
  assert.doesNotMatch(shown.text, /passkey|<script/);
  const asked = await site
    .visitor()
    .post('/sign-in/passkey/options', {}, { headers: { origin: 'http://127.0.0.1:8023' } });
  assert.equal(asked.status, 403);
});
