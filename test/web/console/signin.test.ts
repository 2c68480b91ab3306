/** Who gets into the console: invitations, sign-in, sessions, and forms of other sites. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../../db/control/audit.js';
import { storePassword } from '../../../keys/login/password.js';
import { totpCode } from '../../../keys/login/totp.js';
import { invitationLink } from '../../../operations/accounts/link.js';
import { changeRole, findPerson, inviteAccount, removePerson } from '../../../operations/accounts/people.js';
import { beginSession } from '../../../operations/accounts/sessions.js';
import { openTestConsole, testPassword } from '../../support/console.js';

const cookieOf = (headers: Headers) => /^dropslot=([\w-]+);/.exec(headers.get('set-cookie') ?? '')?.[1] ?? '';

test('an invitation sets up an account once, with a password and a code of the app', async (t) => {
  const { place, clock, visitor } = await openTestConsole(t);
  const { code } = await inviteAccount(place, { email: 'Jane@Operator.test', role: 'owner' });
  const path = `/invitation/${code}`;
  assert.equal(invitationLink({ console: '127.0.0.1:8023' } as never, code), `http://127.0.0.1:8023${path}`);
  const page = await visitor().get(path);
  assert.equal(page.status, 200);
  const secret = /name="secret" value="([A-Z2-7]{32})"/.exec(page.text)![1]!;
  assert.match(page.text, /<svg/);
  const totp = totpCode(secret, clock.now);
  const wrong: [Record<string, string>, RegExp][] = [
    [{ password: 'short', secret, totp }, /at least 12 characters/],
    [{ password: 'jane is my first name', secret, totp }, /easy to guess/],
    [{ password: 'aaaaaaaaaaaaaaaa', secret, totp }, /easy to guess/],
    [{ password: testPassword, secret, totp: '000000' === totp ? '111111' : '000000' }, /not the present one/],
  ];
  for (const [form, text] of wrong) {
    const refused = await visitor().post(path, form);
    assert.equal(refused.status, 422);
    assert.match(refused.text, text);
    assert.ok(refused.text.includes(`value="${secret}"`), 'the app keeps its key');
  }
  const done = await visitor().post(path, { password: testPassword, secret, totp });
  assert.equal(done.status, 200);
  assert.equal([...done.text.matchAll(/<code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})<\/code>/g)].length, 10);
  const [session, ...others] = done.headers.getSetCookie();
  assert.match(session!, /^dropslot=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
  for (const cookie of others) assert.match(cookie, /; Path=\/; HttpOnly; SameSite=Lax; Max-Age=\d+$/);
  assert.equal((await visitor(cookieOf(done.headers)).get('/account')).status, 200);
  for (const used of [path, '/invitation/AAAA']) assert.equal((await visitor().get(used)).status, 404);
});

test('an invitation expires, and a newer one replaces it', async (t) => {
  const { place, clock, visitor } = await openTestConsole(t);
  const first = await inviteAccount(place, { email: 'jane@operator.test', role: 'owner' });
  const second = await inviteAccount(place, { email: 'jane@operator.test', role: 'owner' });
  assert.equal((await visitor().get(`/invitation/${first.code}`)).status, 404);
  assert.equal((await visitor().get(`/invitation/${second.code}`)).status, 200);
  clock.now = second.expiresAt;
  assert.equal((await visitor().get(`/invitation/${second.code}`)).status, 404);
  await assert.rejects(
    inviteAccount(place, { email: 'jane@operator.test', role: 'admin', org: 'acme' }),
    /another role/,
  );
});

test('guesses of invitations are limited, and the answer does not call a usable one used', async (t) => {
  const { place, clock, visitor } = await openTestConsole(t);
  const { code } = await inviteAccount(place, { email: 'jane@operator.test', role: 'owner' });
  for (let n = 0; n < 20; n++) assert.equal((await visitor().get('/invitation/AAAA')).status, 404);
  for (const path of ['/invitation/AAAA', `/invitation/${code}`])
    for (const over of [await visitor().get(path), await visitor().post(path, {})]) {
      assert.equal(over.status, 429);
      assert.match(over.headers.get('retry-after')!, /^\d+$/);
      assert.match(over.text, /Wait for \d+ seconds?, then try again\./);
      assert.doesNotMatch(over.text, /used|expired/);
    }
  assert.equal((await visitor().get(`/invitation/${code}`, { address: '192.0.2.9' })).status, 200);
  for (let n = 0; n < 20; n++) await visitor().get('/invitation/AAAA', { address: `2001:db8:0:7::${n}` });
  assert.equal((await visitor().get(`/invitation/${code}`, { address: '2001:db8:0:7::ffff' })).status, 429);
  assert.equal((await visitor().get(`/invitation/${code}`, { address: '2001:db8:0:8::1' })).status, 200);
  clock.ms += 60_000;
  assert.equal((await visitor().get(`/invitation/${code}`)).status, 200);
});

test('sign-in takes the password and a code that was not used before; each wrong part gets the same answer', async (t) => {
  const { clock, visitor, person } = await openTestConsole(t);
  const { email, totpSecret, recovery } = await person('owner', undefined, true);
  clock.now += 60_000;
  const code = totpCode(totpSecret, clock.now);
  const right = { email: email.toUpperCase(), password: testPassword, code };
  const noCode = totpCode(totpSecret, clock.now + 600_000);
  const answers = [];
  for (const wrong of [
    { ...right, email: 'nobody@operator.test' },
    { ...right, password: 'wrong password wrong' },
    { ...right, code: noCode },
    { ...right, code: '' },
  ]) {
    const { status, text } = await visitor().post('/sign-in', wrong);
    answers.push([status, text.replaceAll(/value="[^"]*"/g, '')]);
  }
  assert.equal(answers[0]![0], 422);
  for (const answer of answers) assert.deepEqual(answer, answers[0]);

  const next = { next: '/account?x=1' };
  const begun = await visitor().post('/sign-in', { ...right, ...next });
  assert.deepEqual([begun.status, begun.headers.get('location')], [303, '/account?x=1']);
  assert.equal((await visitor(cookieOf(begun.headers)).get('/account')).status, 200);
  assert.equal((await visitor().post('/sign-in', right)).status, 422, 'a code signs in once');
  clock.ms += 60_000;
  for (const status of [303, 422])
    assert.equal((await visitor().post('/sign-in', { ...right, code: recovery[0]! })).status, status);
  for (const next of ['//evil.test/', '/\\evil.test', 'https://evil.test/']) {
    clock.ms += 60_000;
    clock.now += 60_000;
    const sent = { ...right, code: totpCode(totpSecret, clock.now), next };
    assert.equal((await visitor().post('/sign-in', sent)).headers.get('location'), '/');
  }
});

test('attempts to sign in are limited for each account and address, whether the account exists or not', async (t) => {
  const { clock, visitor, person } = await openTestConsole(t);
  const { email } = await person('owner');
  for (const name of [email, 'nobody@operator.test']) {
    const form = { email: name, password: 'x', code: '1' };
    const address = name === email ? '192.0.2.7' : '192.0.2.8';
    for (let n = 0; n < 6; n++) assert.equal((await visitor().post('/sign-in', form, { address })).status, 422);
    const over = await visitor().post('/sign-in', form, { address });
    assert.equal(over.status, 429);
    assert.match(over.headers.get('retry-after')!, /^\d+$/);
    assert.equal((await visitor().post('/sign-in', form, { address: '192.0.2.9' })).status, 422);
  }
  clock.ms += 60_000;
  const again = await visitor().post('/sign-in', { email, password: 'x', code: '1' }, { address: '192.0.2.7' });
  assert.equal(again.status, 422);
});

test('a sign-in begins a session of its own, and ends that of the browser; sign-out works from an old page', async (t) => {
  const { clock, visitor, person } = await openTestConsole(t);
  const owner = await person('owner', undefined, true);
  const planted = await person('viewer', 'acme');
  clock.now += 60_000;
  const form = { email: owner.email, password: testPassword, code: totpCode(owner.totpSecret, clock.now) };
  const begun = await visitor(planted.cookie).post('/sign-in', form);
  const cookie = cookieOf(begun.headers);
  assert.notEqual(cookie, planted.cookie);
  assert.equal((await planted.get('/account')).status, 303, 'the session of before has ended');
  const secure = await openTestConsole(t, { url: 'https://console.test' });
  const asked = await secure
    .visitor()
    .post('/sign-in/passkey/options', {}, { headers: { origin: 'https://console.test' } });
  assert.match(
    asked.headers.getSetCookie()[0]!,
    /^__Host-dropslot-flow=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=600$/,
  );
  assert.equal((await visitor(cookie).post('/sign-out', { _token: 'of another session' })).status, 303);
  assert.equal((await visitor(cookie).get('/account')).status, 303);
});

test('a clock that was ahead for a while keeps no person out, and no session open', async (t) => {
  const { clock, visitor, person } = await openTestConsole(t);
  const one = await person('owner', undefined, true);
  const signIn = async () => {
    clock.ms += 60_000;
    const form = { email: one.email, password: testPassword, code: totpCode(one.totpSecret, clock.now) };
    return visitor().post('/sign-in', form);
  };
  const now = clock.now;
  clock.now = now + 365 * 86_400_000;
  const ahead = visitor(cookieOf((await signIn()).headers));
  assert.equal((await ahead.get('/account')).status, 200);
  clock.now = now + 60_000;
  assert.equal((await ahead.get('/account')).status, 303, 'its session would last for a year');
  assert.equal((await signIn()).status, 303, 'the present code counts');
  assert.equal((await signIn()).status, 422, 'once');
  clock.now -= 30_000;
  assert.equal((await signIn()).status, 422, 'an earlier one does not');
});

test('of two requests at once with one code, or one invitation, one is carried out', async (t) => {
  const { place, clock, visitor, person } = await openTestConsole(t);
  const one = await person('owner', undefined, true);
  clock.now += 60_000;
  const form = { email: one.email, password: testPassword, code: totpCode(one.totpSecret, clock.now) };
  const statuses = (answers: { status: number }[]) => answers.map(({ status }) => status).sort();
  assert.deepEqual(
    statuses(await Promise.all([form, form].map((sent) => visitor().post('/sign-in', sent)))),
    [303, 422],
  );
  const { code } = await inviteAccount(place, { email: 'jane@operator.test', role: 'operator' });
  const secret = 'A'.repeat(32);
  const chosen = { password: testPassword, secret, totp: totpCode(secret, clock.now) };
  const accepted = await Promise.all([chosen, chosen].map((sent) => visitor().post(`/invitation/${code}`, sent)));
  assert.deepEqual(statuses(accepted), [200, 404]);
});

test('a password that is changed, or an account that is removed, while it is checked, lets no one in', async (t) => {
  const { place, clock, visitor, person } = await openTestConsole(t);
  const one = await person('owner', undefined, true);
  const two = await person('operator', undefined, true);
  clock.now += 60_000;
  const form = ({ email, totpSecret }: typeof one) => ({
    ...{ email, password: testPassword, code: totpCode(totpSecret, clock.now) },
  });
  const password = await storePassword('another long password');
  const entering = visitor().post('/sign-in', form(one));
  await place.control.write('accounts').where({ email: one.email }).update({ password });
  assert.equal((await entering).status, 422);
  const leaving = visitor().post('/sign-in', form(two));
  await removePerson(place, two.email);
  assert.equal((await leaving).status, 422);
  const account = await findPerson(place, one.email);
  const begin = (isUnchanged: () => boolean) =>
    beginSession(place, account, { address: null, agent: null }, { method: 'password', factor: 'app' }, isUnchanged);
  assert.equal(await begin(() => false), null);
  assert.equal((await begin(() => true))?.length, 43);
});

test('a session ends at sign-out, without use, after its time, and with its account', async (t) => {
  const { place, clock, visitor, person } = await openTestConsole(t);
  const isIn = async (cookie: string) => (await visitor(cookie).get('/account')).status === 200;
  const owner = await person('owner');
  const out = await owner.post('/sign-out', {});
  assert.equal(out.headers.get('location'), '/sign-in');
  assert.match(out.headers.get('set-cookie')!, /^dropslot=; .*Max-Age=0/);
  assert.equal(await isIn(owner.cookie), false);

  const idle = await person('owner');
  clock.now += 50 * 60_000;
  assert.equal(await isIn(idle.cookie), true, 'it was used before an hour was over');
  clock.now += 50 * 60_000;
  assert.equal(await isIn(idle.cookie), true);
  clock.now += 61 * 60_000;
  assert.equal(await isIn(idle.cookie), false);

  const long = await person('owner');
  for (let n = 0; n < 13; n++) {
    clock.now += 55 * 60_000;
    assert.equal(await isIn(long.cookie), true);
  }
  clock.now += 6 * 60_000;
  assert.equal(await isIn(long.cookie), false);

  const admin = await person('admin', 'acme');
  assert.equal((await admin.get('/orgs/acme/imports')).status, 200);
  await removePerson(place, admin.email);
  assert.equal(
    (await admin.get('/orgs/acme/imports')).headers.get('location'),
    '/sign-in?next=%2Forgs%2Facme%2Fimports',
  );
});

test('a person ends other sessions, and a new password ends them too', async (t) => {
  const { clock, visitor, person } = await openTestConsole(t);
  const one = await person('owner', undefined, true);
  const begin = async () => {
    clock.now += 60_000;
    const form = { email: one.email, password: testPassword, code: totpCode(one.totpSecret, clock.now) };
    return visitor(cookieOf((await visitor().post('/sign-in', form)).headers));
  };
  const two = await begin();
  const id = /name="id" value="(ses_[0-9a-f]+)"/.exec((await one.get('/account')).text)![1]!;
  assert.equal((await one.post('/account/sessions/end', { id })).status, 303);
  assert.equal((await two.get('/account')).status, 303);
  const three = await begin();
  const wrong = await one.post('/account/password', { present: 'x', wanted: 'another long password' });
  assert.equal(wrong.status, 422);
  assert.match(wrong.text, /role="alert"[\s\S]*The present password is wrong/);
  const form = { present: testPassword, wanted: 'another long password' };
  assert.equal((await one.post('/account/password', form)).status, 303);
  assert.equal((await three.get('/account')).status, 303);
  assert.equal((await one.get('/account')).status, 200);
});

test('a session can not guess the password of its account, and another account is not kept waiting', async (t) => {
  const { clock, person } = await openTestConsole(t);
  const one = await person('admin', 'acme', true);
  const other = await person('admin', 'other', true);
  const change = (who: typeof one, present: string) =>
    who.post('/account/password', { present, wanted: 'another long password' });
  for (let n = 0; n < 6; n++) assert.match((await change(one, 'x')).text, /The present password is wrong/);
  const over = await change(one, testPassword);
  assert.equal(over.status, 429);
  assert.match(over.text, /Wait for 10 seconds, then try again\./);
  assert.equal((await change(other, testPassword)).status, 303);
  clock.ms += 60_000;
  assert.equal((await change(one, testPassword)).status, 303);
});

test('forms of other sites, and forms without the token of the session, are refused', async (t) => {
  const { clock, visitor, person, place } = await openTestConsole(t);
  const one = await person('owner');
  const form = { present: testPassword, wanted: 'another long password' };
  const foreign: Record<string, string>[] = [
    { origin: 'http://evil.test' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'http://evil.test', 'sec-fetch-site': 'same-origin' },
  ];
  for (const headers of foreign)
    for (const path of ['/account/password', '/sign-in', '/sign-out', '/invitation/x']) {
      clock.ms += 10_000;
      assert.equal((await one.post(path, form, { headers })).status, 403, `${path} ${JSON.stringify(headers)}`);
    }
  for (const _token of ['', 'x', 'A'.repeat(43)])
    assert.equal((await one.post('/account/password', { ...form, _token })).status, 403);
  assert.equal((await visitor().post('/account/password', form)).headers.get('location'), '/sign-in');
  const actions = (await place.control.read('audit').where({ action: 'account.password_changed' })).length;
  assert.equal(actions, 0);
});

test('without consoleUrl only names of this machine are the console', async (t) => {
  const { app } = await openTestConsole(t, { url: null });
  const send = async (host: string) => {
    const headers = { host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
    const body = new URLSearchParams({ email: 'a@b.test', password: 'x', code: '1' });
    return (await app.request('/sign-in', { method: 'POST', headers, body })).status;
  };
  for (const host of ['127.0.0.1:8023', 'localhost:8023', '[::1]:8023']) assert.equal(await send(host), 422, host);
  for (const host of ['evil.test:8023', '192.0.2.1', 'x y']) assert.equal(await send(host), 403, host);
});

test('every answer forbids scripts, but for the one of passkeys, and frames and other hosts', async (t) => {
  const { visitor, person } = await openTestConsole(t);
  const owner = await person('owner');
  const answers = [
    await owner.get('/'),
    await visitor().get('/sign-in'),
    await owner.get('/none'),
    await owner.get('/account'),
  ];
  for (const { headers, text } of answers) {
    const policy = headers.get('content-security-policy')!;
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*|data:/);
    const scripts = [...text.matchAll(/<script[^>]*>/g)].map(([tag]) => tag);
    assert.equal(/script/.test(policy), scripts.length > 0);
    for (const script of scripts) assert.match(script, /^<script src="\/assets\/[0-9a-f]{16}\.js" defer>$/);
    assert.deepEqual(
      ['x-frame-options', 'x-content-type-options', 'cache-control', 'referrer-policy'].map((name) =>
        headers.get(name),
      ),
      ['DENY', 'nosniff', 'no-store', 'same-origin'],
    );
  }
  const secure = await openTestConsole(t, { url: 'https://console.test' });
  const { headers } = await secure.visitor().get('/sign-in');
  assert.match(headers.get('strict-transport-security')!, /max-age/);
});

test('the audit trail names people of the console, and a changed role applies at once', async (t) => {
  const { place, person } = await openTestConsole(t);
  const admin = await person('admin', 'acme', true);
  const records = await listAudit(place.control.read, 'acme');
  assert.deepEqual(
    records.slice(-3).map(({ action, actor }) => [action, actor]),
    [
      ['account.invited', place.actor],
      ['account.set', `web:${admin.email}`],
      ['account.signed_in', `web:${admin.email}`],
    ],
  );
  await changeRole(place, admin.email, 'viewer');
  assert.equal((await admin.get('/orgs/acme')).status, 200);
  await assert.rejects(changeRole(place, admin.email, 'owner'), /of the whole server/);
  const owner = await person('owner', undefined, true);
  await assert.rejects(removePerson(place, owner.email), /only owner/);
});
