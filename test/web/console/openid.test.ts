/** Signing in at an OpenID Connect provider: a real one on loopback, its tokens forged, and the accounts that its people get. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { OidcSetting } from '../../../config/oidc.js';
import { setProvider } from '../../../operations/accounts/orgprovider.js';
import {
  changeRole,
  findPerson,
  inviteAccount,
  listPeople,
  removePerson,
} from '../../../operations/accounts/people.js';
import {
  openTestConsole,
  origin,
  recordsOf,
  type Shown,
  type TestConsole,
  testPassword,
} from '../../support/console.js';
import { client, openIssuer, type TestIssuer } from '../../support/issuer.js';
import { temporaryFolder } from '../../support/temporary.js';

const ofServer = `${origin}/sign-in/return/server`;
const here = { 'sec-fetch-site': 'same-origin' };

interface Site extends TestConsole {
  issuer: TestIssuer;
  set(change: Partial<OidcSetting>): void;
}

async function openSite(t: TestContext, change: Partial<OidcSetting> = {}): Promise<Site> {
  const site = await openTestConsole(t);
  const issuer = await openIssuer(t, [ofServer]);
  const file = join(temporaryFolder(t), 'secret');
  writeFileSync(file, `${client.secret}\n`);
  const usual = {
    label: 'Operator Login',
    scopes: 'openid email',
    emailClaim: 'email',
    domains: [],
    organizations: false,
  };
  const fixed = { issuer: issuer.url, clientId: client.id, clientSecretFile: file, allowHttp: true };
  const set = (more: Partial<OidcSetting>) => {
    site.place.settings.oidc = { ...usual, ...fixed, verifiedClaim: 'email_verified', ...more };
  };
  set(change);
  return { ...site, issuer, set };
}

const cookiesOf = ({ headers }: Shown) =>
  new Map(headers.getSetCookie().map((line) => line.split(';')[0]!.split(/=(.*)/s) as [string, string]));

/** Begins a sign-in; the address of the provider, and the cookie of the browser. */
async function begin(site: TestConsole, path = '/sign-in/with/server/go') {
  const begun = await site.visitor().get(path, { headers: here });
  assert.equal(begun.status, 303, begun.text.slice(0, 2_000));
  return { to: begun.headers.get('location')!, flow: cookiesOf(begun).get('dropslot-flow')! };
}

/** The way back, with the cookie of the browser that began. */
function comeBack(site: TestConsole, url: string, flow: string): Promise<Shown> {
  assert.ok(url.startsWith(`${origin}/sign-in/return/`), url);
  return site
    .visitor()
    .get(url.slice(origin.length), { headers: { cookie: `dropslot-flow=${flow}`, 'sec-fetch-site': 'cross-site' } });
}

async function signIn(site: Site, path?: string): Promise<Shown> {
  site.clock.ms += 60_000;
  const { to, flow } = await begin(site, path);
  return comeBack(site, await site.issuer.follow(to), flow);
}

const isIn = async (site: TestConsole, shown: Shown) => {
  const cookie = cookiesOf(shown).get('dropslot') ?? '';
  return cookie !== '' && (await site.visitor(cookie).get('/account')).status === 200;
};

async function assertRefused(site: TestConsole, shown: Shown, text: RegExp, status = 422): Promise<void> {
  assert.match(shown.text, text);
  assert.equal(shown.status, status);
  assert.equal(await isIn(site, shown), false);
}

test('an invited person signs in at the provider, which accepts the invitation; the request has PKCE, state and nonce', async (t) => {
  const site = await openSite(t);
  const { place, issuer } = site;
  await assertRefused(site, await signIn(site), /No account here has your email address/);
  const { code } = await inviteAccount(place, { email: 'Jane@operator.test', role: 'operator' });
  const invitation = await site.visitor().get(`/invitation/${code}`);
  assert.match(invitation.text, new RegExp(`href="/invitation/${code}/go">Sign in with Operator Login`));
  const { to, flow } = await begin(site, `/invitation/${code}/go`);
  const asked = new URL(to).searchParams;
  assert.deepEqual(
    ['response_type', 'redirect_uri', 'scope', 'code_challenge_method', 'client_id'].map((name) => asked.get(name)),
    ['code', ofServer, 'openid email', 'S256', client.id],
  );
  for (const name of ['state', 'nonce', 'code_challenge']) assert.equal(asked.get(name)!.length, 43);
  const shown = await comeBack(site, await issuer.follow(to), flow);
  assert.deepEqual([shown.status, shown.headers.get('location')], [303, '/']);
  assert.equal(await isIn(site, shown), true);
  assert.equal(cookiesOf(shown).get('dropslot-flow'), '');
  assert.equal((await site.visitor().get(`/invitation/${code}`)).status, 404, 'the invitation is used');
  const { role, isSet, hasPassword } = await findPerson(place, 'jane@operator.test');
  assert.deepEqual([role, isSet, hasPassword], ['operator', true, false]);
  const [last] = (await recordsOf(site)).slice(-1);
  const { actor, action, detail } = last!;
  assert.deepEqual([actor, action], ['web:Jane@operator.test', 'account.signed_in']);
  assert.deepEqual(JSON.parse(detail), { method: 'provider', factor: issuer.url, address: '192.0.2.1' });

  // From now on the name at the provider is the key: a new address there, and an old one here, are the same person.
  issuer.person.email = 'jane.new@operator.test';
  assert.equal(await isIn(site, await signIn(site, '/sign-in/with/server/go?next=%2Faccount')), true);
  // Whoever gets the old address at the provider does not get the account.
  Object.assign(issuer.person, { sub: 'thief', email: 'jane@operator.test' });
  await assertRefused(site, await signIn(site), /belongs to another person/);
  await removePerson(place, 'jane@operator.test');
  issuer.person.sub = 'jane';
  await assertRefused(site, await signIn(site), /No account here/);
});

test('a session of the provider ends at sign-out, at removal, and with a changed role its rights change', async (t) => {
  const site = await openSite(t);
  await inviteAccount(site.place, { email: 'jane@operator.test', role: 'operator' });
  const one = site.visitor(cookiesOf(await signIn(site)).get('dropslot'));
  const page = await one.get('/account');
  assert.match(page.text, /need neither a password|has no password/);
  assert.equal((await one.get('/runs')).status, 200);
  await changeRole(site.place, 'jane@operator.test', 'auditor');
  assert.equal((await one.get('/runs')).status, 403);
  await one.post('/sign-out', {});
  assert.equal((await one.get('/account')).status, 303);
  const two = site.visitor(cookiesOf(await signIn(site)).get('dropslot'));
  await removePerson(site.place, 'jane@operator.test');
  assert.equal((await two.get('/account')).status, 303);
});

test('forged answers of the provider let no one in', async (t) => {
  const site = await openSite(t);
  const { issuer } = site;
  await inviteAccount(site.place, { email: 'jane@operator.test', role: 'operator' });
  const seconds = Math.floor(Date.now() / 1000);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const forgeries: Record<string, NonNullable<TestIssuer['forgery']>> = {
    nonce: { claims: (claims) => ({ ...claims, nonce: 'another' }) },
    'no nonce': { claims: ({ nonce: _, ...claims }) => claims },
    audience: { claims: (claims) => ({ ...claims, aud: 'another client' }) },
    'one audience of several': { claims: (claims) => ({ ...claims, aud: [client.id, 'another'], azp: 'another' }) },
    issuer: { claims: (claims) => ({ ...claims, iss: 'http://127.0.0.1:1' }) },
    expired: { claims: (claims) => ({ ...claims, exp: seconds - 600 }) },
    'issued in the future': { claims: (claims) => ({ ...claims, nbf: seconds + 600 }) },
    'signature of another key': { key: other },
    'unknown key': { key: other, header: { kid: 'unknown' } },
    'no signature': { key: null, header: { alg: 'none' } },
    'algorithm with the secret': { header: { alg: 'HS256' } },
    'another subject than the second endpoint': { claims: (claims) => ({ ...claims, sub: 'boss' }) },
  };
  for (const [name, forgery] of Object.entries(forgeries)) {
    issuer.forgery = forgery;
    const shown = await signIn(site);
    await assertRefused(site, shown, /answer of Operator Login was not valid/, 422).catch((error: Error) => {
      throw new Error(`${name}: ${error.message}`);
    });
  }
  issuer.forgery = null;
  assert.equal(await isIn(site, await signIn(site)), true);
});

test('a code, a state and a cookie are of one sign-in, in one browser, at one provider', async (t) => {
  const site = await openSite(t);
  const { issuer, place } = site;
  await inviteAccount(place, { email: 'jane@operator.test', role: 'operator' });
  const first = await begin(site);
  const back = await issuer.follow(first.to);
  await assertRefused(site, await comeBack(site, back, 'x'), /expired, or was begun in another browser/);
  await assertRefused(site, await site.visitor().get(back.slice(origin.length)), /begun in another browser/);
  const second = await begin(site);
  await assertRefused(site, await comeBack(site, back, second.flow), /was not valid/);
  assert.equal(await isIn(site, await comeBack(site, back, first.flow)), true);
  await assertRefused(site, await comeBack(site, back, first.flow), /begun in another browser/);

  site.clock.ms += 60_000;
  // The code was used: the state and the cookie of a new sign-in do not make it new.
  const third = await begin(site);
  const mixed = new URL(back);
  mixed.searchParams.set('state', new URL(third.to).searchParams.get('state')!);
  await assertRefused(site, await comeBack(site, mixed.href, third.flow), /was not valid/);

  const late = await begin(site);
  const lateBack = await issuer.follow(late.to);
  site.clock.now += 11 * 60_000;
  await assertRefused(site, await comeBack(site, lateBack, late.flow), /expired/);

  // Another provider leads the browser back to the address of this one.
  const evil = await openIssuer(t, [ofServer]);
  const { key } = await setProvider(place, 'acme', {
    ...{ issuer: evil.url, clientId: client.id, secret: client.secret, allowHttp: true, allowPrivate: true },
  });
  site.clock.ms += 60_000;
  const ofAcme = await begin(site, `/sign-in/with/${key}/go`);
  const ofHonest = await begin(site);
  const honest = new URL(await issuer.follow(ofHonest.to));
  honest.searchParams.set('state', new URL(ofAcme.to).searchParams.get('state')!);
  await assertRefused(site, await comeBack(site, honest.href, ofAcme.flow), /was not valid/);
  const named = new URL(await issuer.follow((await begin(site)).to));
  const own = await begin(site);
  named.searchParams.set('state', new URL(own.to).searchParams.get('state')!);
  named.searchParams.set('iss', evil.url);
  await assertRefused(site, await comeBack(site, named.href, own.flow), /was not valid/);
  assert.ok(!evil.requests.includes('/token'), 'no code reaches the other provider');

  const cancelled = await begin(site);
  const state = new URL(cancelled.to).searchParams.get('state')!;
  const denied = `${ofServer}?error=access_denied&state=${state}&iss=${encodeURIComponent(issuer.url)}`;
  await assertRefused(site, await comeBack(site, denied, cancelled.flow), /cancelled at Operator Login/);
});

test('an address counts only if it is verified, of an allowed domain, and written in ASCII', async (t) => {
  const site = await openSite(t, { domains: ['operator.test'] });
  const { issuer } = site;
  await inviteAccount(site.place, { email: 'jane@operator.test', role: 'operator' });
  await inviteAccount(site.place, { email: 'mike@operator.test', role: 'operator' });
  issuer.person.email_verified = false;
  await assertRefused(site, await signIn(site), /does not confirm your email address/);
  Object.assign(issuer.person, { email_verified: true, email: 'mi\u212Ae@operator.test' });
  await assertRefused(site, await signIn(site), /does not confirm your email address/);
  issuer.person.email = 'jane@evil.test';
  await assertRefused(site, await signIn(site), /Addresses of this domain do not sign in here/);
  issuer.person.email = 'JANE@Operator.test';
  assert.equal(await isIn(site, await signIn(site)), true);
  site.set({ verifiedClaim: 'xms_edov' });
  await assertRefused(site, await signIn(site), /does not confirm/);
});

test('no account is made, unless newAccounts names a role', async (t) => {
  const site = await openSite(t);
  await assertRefused(site, await signIn(site), /No account here/);
  assert.deepEqual(await listPeople(site.place), []);
  site.set({ newAccounts: 'read-only', domains: ['operator.test'] });
  assert.equal(await isIn(site, await signIn(site)), true);
  const [person] = await listPeople(site.place);
  assert.deepEqual([person!.email, person!.role, person!.org], ['jane@operator.test', 'read-only', null]);
  assert.equal((await recordsOf(site)).filter(({ action }) => action === 'account.added').length, 1);
});

test('the provider of an organization signs in its people alone, and its address tells nothing', async (t) => {
  const site = await openSite(t);
  const { place } = site;
  const { key } = await setProvider(place, 'acme', {
    ...{
      issuer: 'http://127.0.0.1:1',
      clientId: client.id,
      secret: client.secret,
      allowHttp: true,
      allowPrivate: true,
    },
  });
  const issuer = await openIssuer(t, [`${origin}/sign-in/return/${key}`]);
  await setProvider(place, 'acme', { issuer: issuer.url, secret: client.secret, label: 'ACME Login' });
  const go = `/sign-in/with/${key}/go`;
  const ofAcme = { ...site, issuer };
  await inviteAccount(place, { email: 'hr@acme.test', role: 'admin', org: 'acme' });
  await inviteAccount(place, { email: 'hr@other.test', role: 'admin', org: 'other' });
  await inviteAccount(place, { email: 'boss@operator.test', role: 'owner' });
  for (const email of ['hr@other.test', 'boss@operator.test', 'new@acme.test']) {
    Object.assign(issuer.person, { sub: email, email });
    await assertRefused(site, await signIn(ofAcme, go), /No account here has your email address/);
  }
  Object.assign(issuer.person, { sub: 'hr', email: 'hr@acme.test' });
  const shown = await signIn(ofAcme, go);
  assert.equal(await isIn(site, shown), true);
  // The person of the server's provider with the same address is not a person of the organization.
  Object.assign(site.issuer.person, { sub: 'hr', email: 'hr@acme.test' });
  await assertRefused(site, await signIn(site), /No account here/);

  const known = cookiesOf(shown).get('dropslot-provider')!;
  const offered = await site.visitor().get('/sign-in', { headers: { cookie: `dropslot-provider=${known}` } });
  assert.match(offered.text, /Sign in with ACME Login[\s\S]*Sign in with Operator Login/);
  assert.doesNotMatch((await site.visitor().get('/sign-in')).text, /ACME/);
  const strip = ({ text }: Shown) => text;
  const unknown = await site.visitor().get('/sign-in/with/acme');
  assert.equal(strip(unknown), strip(await site.visitor().get(`/sign-in/with/${'A'.repeat(22)}`)));
  assert.doesNotMatch(unknown.text, /ACME/);
  site.clock.ms += 60_000;
  // A page of another site leads to the button, and begins nothing.
  const foreign = await site.visitor().get(go, { headers: { 'sec-fetch-site': 'cross-site' } });
  assert.equal(foreign.headers.get('location'), `/sign-in/with/${key}`);
  assert.match(
    (await site.visitor().get(`/sign-in/with/${key}`)).text,
    new RegExp(`href="${go}">Sign in with ACME Login`),
  );
});

test('people who must use the provider have no password: neither an old one, nor one by an invitation', async (t) => {
  const site = await openSite(t);
  const { place, clock } = site;
  const admin = await site.person('admin', 'acme', true);
  const { key } = await setProvider(place, 'acme', {
    ...{ issuer: site.issuer.url, clientId: client.id, secret: client.secret, allowHttp: true, allowPrivate: true },
    passwordSignIn: 'off',
  });
  clock.now += 60_000;
  const form = { email: admin.email, password: testPassword, code: admin.recovery[0]! };
  assert.equal((await site.visitor().post('/sign-in', form)).status, 422);
  assert.doesNotMatch((await admin.get('/account')).text, /New password|Add a passkey/);
  const { code } = await inviteAccount(place, { email: 'new@acme.test', role: 'viewer', org: 'acme' });
  const page = await site.visitor().get(`/invitation/${code}`);
  assert.doesNotMatch(page.text, /New password/);
  const sent = { password: testPassword, secret: 'A'.repeat(32), totp: '000000' };
  assert.match((await site.visitor().post(`/invitation/${code}`, sent)).text, /signs in at its provider/);
  await setProvider(place, 'acme', { passwordSignIn: 'on' });
  assert.equal((await site.visitor().post('/sign-in', form)).status, 303, 'the code was not used up');
  assert.ok(key.length === 22);
});

const documentsOf = ({ url }: TestIssuer, change: Record<string, unknown>) => ({
  status: 200,
  body: JSON.stringify({
    ...{ issuer: url, authorization_endpoint: `${url}/auth` },
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/jwks`,
    ...change,
  }),
});

test('a provider that is down or wrong is told, passwords go on, and it is not asked again at once', async (t) => {
  const site = await openSite(t);
  const { issuer, clock } = site;
  const owner = await site.person('owner', undefined, true);
  await inviteAccount(site.place, { email: 'jane@operator.test', role: 'operator' });
  const tryIt = () => site.visitor().get('/sign-in/with/server/go', { headers: here });
  const outages: [NonNullable<TestIssuer['outage']>, string][] = [
    [{ status: 500, body: '{}' }, 'an error'],
    [{ status: 200, body: '{}' }, 'no documents'],
    [{ status: 200, body: '<html>' }, 'a page'],
    [{ status: 302, body: '' }, 'a redirect'],
    [{ status: 200, body: JSON.stringify({ issuer: 'http://127.0.0.1:2' }) }, 'documents of another one'],
    [{ status: 200, body: ' '.repeat(1_100_000) }, 'a large answer'],
    [documentsOf(issuer, { jwks_uri: undefined }), 'documents without keys'],
    [documentsOf(issuer, { token_endpoint: `${issuer.url}/${'x'.repeat(20_000)}` }), 'documents with a long value'],
    [documentsOf(issuer, { authorization_endpoint: 'javascript:alert(1)' }), 'an address that is no page'],
  ];
  for (const [outage, name] of outages) {
    issuer.outage = outage;
    clock.ms += 10_000;
    const shown = await tryIt();
    assert.equal(shown.status, 503, name);
    assert.match(
      shown.text,
      /The sign-in of Operator Login can not be reached now\. Try it again, or sign in with your password/,
    );
  }
  const before = issuer.requests.length;
  await tryIt();
  assert.equal(issuer.requests.length, before, 'a failure is remembered for some seconds');
  clock.now += 60_000;
  const form = { email: owner.email, password: testPassword, code: owner.recovery[0]! };
  assert.equal((await site.visitor().post('/sign-in', form)).status, 303);

  issuer.outage = null;
  clock.ms += 60_000;
  const { to, flow } = await begin(site);
  const back = await issuer.follow(to);
  issuer.outage = { status: 503, body: '{}', path: '/token' };
  await assertRefused(site, await comeBack(site, back, flow), /can not be reached now/, 503);
  issuer.outage = null;
  const documents = () => issuer.requests.filter((path) => path.includes('well-known')).length;
  const asked = documents();
  assert.equal(await isIn(site, await signIn(site)), true);
  assert.equal(documents(), asked, 'its documents are kept');
  issuer.rotate();
  assert.equal(await isIn(site, await signIn(site)), true, 'a new key counts at once');
  clock.ms += 61 * 60_000;
  await begin(site);
  assert.equal(documents(), asked + 1, 'its documents are read again after an hour');
  issuer.close();
  clock.ms += 61 * 60_000;
  assert.equal((await tryIt()).status, 503);
});

test('an organization can not lead the server to private addresses, nor to plain HTTP', async (t) => {
  const site = await openSite(t);
  const refused = [
    { issuer: 'http://login.acme.test' },
    { issuer: 'https://127.0.0.1' },
    { issuer: 'https://[::1]:8443' },
    { issuer: 'https://169.254.169.254/latest' },
    { issuer: 'https://localhost' },
    { issuer: 'https://user:pass@login.acme.test' },
    { issuer: 'file:///etc/passwd' },
    { issuer: 'https://login.acme.test', newAccounts: 'viewer' },
    { issuer: 'https://login.acme.test', newAccounts: 'owner', domains: 'acme.test' },
    { issuer: 'https://login.acme.test', scopes: 'email' },
  ];
  for (const change of refused)
    await assert.rejects(
      setProvider(site.place, 'acme', { clientId: 'x', ...change }),
      { code: 'usage' },
      JSON.stringify(change),
    );
  // Its documents may name other addresses than the issuer.
  const { key } = await setProvider(site.place, 'acme', {
    issuer: site.issuer.url,
    clientId: 'x',
    allowHttp: true,
    allowPrivate: true,
  });
  await site.place.control.write('org_providers').update({
    options: JSON.stringify({
      label: 'x',
      scopes: 'openid',
      domains: [],
      passwordSignIn: true,
      allowHttp: true,
      allowPrivate: false,
    }),
  });
  const before = site.issuer.requests.length;
  assert.equal((await site.visitor().get(`/sign-in/with/${key}/go`, { headers: here })).status, 503);
  assert.equal(site.issuer.requests.length, before);
});

test('a new invitation replaces the person of the provider, and every other way in', async (t) => {
  const site = await openSite(t);
  const { place, issuer } = site;
  const owner = await site.person('owner', undefined, true);
  Object.assign(issuer.person, { sub: 'first', email: owner.email });
  const first = await signIn(site);
  assert.equal(await isIn(site, first), true);
  issuer.person.sub = 'second';
  await assertRefused(site, await signIn(site), /another person/);
  await inviteAccount(place, { email: owner.email, role: 'owner' });
  assert.equal(await isIn(site, await signIn(site)), true);
  assert.equal(await isIn(site, first), false, 'sessions have ended');
  site.clock.now += 60_000;
  const form = { email: owner.email, password: testPassword, code: owner.recovery[0]! };
  assert.equal((await site.visitor().post('/sign-in', form)).status, 422, 'the password is gone');
});

test('returns are counted before the database is asked, and those of strangers do not ask it', async (t) => {
  const site = await openSite(t);
  const { write } = site.place.control;
  let asked = 0;
  write.on('query', ({ sql }: { sql: string }) => {
    if (sql.includes('account_challenges')) asked++;
  });
  const come = (flow: string, n: number) =>
    site.visitor().get('/sign-in/return/server?code=x&state=y', {
      headers: { cookie: `dropslot-flow=${flow}` },
      address: `192.0.2.${n}`,
    });
  const secretOf = (n: number) => String(n).padStart(43, 'a');
  const all = await Promise.all(Array.from({ length: 50 }, (_, n) => come(secretOf(n), n)));
  const busy = all.filter(({ status, text }) => status === 503 && /too many people sign in now/i.test(text));
  assert.equal(busy.length, 30);
  assert.equal(asked, 20);
  for (const flow of ['', 'x', 'a'.repeat(5_000)]) assert.equal((await come(flow, 60)).status, 422);
  assert.equal(asked, 20);
});

test('after sign-out the page to sign out at the provider is offered, where the provider has one', async (t) => {
  const site = await openSite(t);
  const { place, issuer } = site;
  issuer.person.email = 'jane@operator.test';
  await inviteAccount(place, { email: 'jane@operator.test', role: 'operator' });
  const leave = async () => {
    const cookie = cookiesOf(await signIn(site)).get('dropslot')!;
    const left = await site.visitor(cookie).post('/sign-out', {});
    assert.deepEqual([left.status, left.headers.get('location')], [303, '/sign-in/left/server']);
    assert.equal((await site.visitor(cookie).get('/account')).status, 303, 'the session has ended before');
    return site.visitor().get('/sign-in/left/server');
  };
  const shown = await leave();
  assert.match(shown.text, /At Operator Login you are still signed in/);
  const there = new URL(/<a class="button" href="([^"]+)"/.exec(shown.text)![1]!.replaceAll('&amp;', '&'));
  assert.equal(there.origin, new URL(issuer.url).origin);
  assert.deepEqual([...there.searchParams], [['client_id', client.id]]);
  // The provider itself takes the address.
  const asked = await fetch(there, { redirect: 'manual' });
  assert.equal(asked.status, 200);
  assert.match(await asked.text(), /<form/);
  // One that offers none, and one that is away.
  site.clock.ms += 2 * 3_600_000;
  issuer.outage = { status: 500, body: 'away' };
  const away = await site.visitor().get('/sign-in/left/server');
  assert.deepEqual([away.status, away.headers.get('location')], [303, '/sign-in']);
  issuer.outage = null;
  assert.equal((await site.visitor().get('/sign-in/left/unknown')).headers.get('location'), '/sign-in');
  // Those who sign in with a password are not sent there.
  const other = await site.person('operator');
  assert.equal((await other.post('/sign-out', {})).headers.get('location'), '/sign-in');
});
