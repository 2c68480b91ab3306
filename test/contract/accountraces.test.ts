/** Changes of an account, and of who may sign in to it, that meet: none judges by a state that another one has just ended. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listPasskeys } from '../../db/control/accountpasskeys.js';
import { findAccount } from '../../db/control/accounts.js';
import { listSessions } from '../../db/control/accountsessions.js';
import { totpCode } from '../../keys/login/totp.js';
import { acceptInvitation, changePassword, generateTotpSecret } from '../../operations/accounts/credentials.js';
import { setProvider } from '../../operations/accounts/orgprovider.js';
import {
  addPasskey,
  beginPasskey,
  beginPasskeySignIn,
  signInByPasskey,
  siteOf,
} from '../../operations/accounts/passkeys.js';
import { changeRole, hashCode, inviteAccount, listPeople, removePerson } from '../../operations/accounts/people.js';
import { findProvider } from '../../operations/accounts/provider.js';
import { enterByProvider } from '../../operations/accounts/providersignin.js';
import { beginSession, PasswordQueue } from '../../operations/accounts/sessions.js';
import { addOrganization } from '../../operations/orgs.js';
import type { Workplace } from '../../operations/workplace.js';
import { Authenticator } from '../support/authenticator.js';
import { onBothDatabases, type TestDatabases } from '../support/databases.js';
import { beforeTransaction, meet } from '../support/interleave.js';
import { workplaceOn } from '../support/workplace.js';

const password = 'correct horse battery staple';
const client = { address: '192.0.2.1', agent: null };
const proof = { method: 'password', factor: 'app' } as const;
const origin = 'http://console.test';
const site = siteOf(origin)!;
const email = 'hr@acme.test';

type Open = (scope: TestContext) => Promise<TestDatabases>;

async function openPlace(t: TestContext, open: Open): Promise<Workplace> {
  const { settings } = await open(t);
  const place = { ...(await workplaceOn(t, settings)), now: () => Date.UTC(2026, 2, 10) };
  await addOrganization(place, 'acme', { ownerEmail: 'owner@acme.test' }, true);
  return place;
}

const invite = (place: Workplace, wanted = { email, role: 'admin', org: 'acme' }) => inviteAccount(place, wanted);

async function accept(place: Workplace, code: string) {
  const totpSecret = generateTotpSecret();
  return acceptInvitation(place, code, { password, totpSecret, totpCode: totpCode(totpSecret, place.now()) });
}

/** A person who has signed in; with the secrets of the account, and the session. */
async function enter(place: Workplace) {
  const { account } = await accept(place, (await invite(place)).code);
  const cookie = await beginSession(place, account, client, proof, () => true);
  assert.ok(cookie);
  const stored = (await findAccount(place.control.read, { id: account.id }))!;
  return { account, stored, session: (await listSessions(place.control.read, account.id))[0]! };
}

const sessionsOf = (place: Workplace, id: string) => listSessions(place.control.read, id);

onBothDatabases('an account and its ways in', (open) => {
  test('a passkey is not added by a session that an accepted invitation has ended', async (t) => {
    const place = await openPlace(t, open);
    const { account, session } = await enter(place);
    const { code } = await invite(place);
    const given = new Authenticator().create(await beginPasskey(place, account, session, site), { origin });
    const late = { ...place, control: beforeTransaction(place.control, () => accept(place, code)) };
    await assert.rejects(addPasskey(late, account, session, site, { name: 'laptop', given }), {
      code: 'refused',
      message: 'your session has ended meanwhile: sign in again, and repeat the change',
    });
    assert.deepEqual(await listPasskeys(place.control.read, account.id), []);
  });

  test('a passkey that an accepted invitation has removed lets no one in', async (t) => {
    const place = await openPlace(t, open);
    const { account, session } = await enter(place);
    const key = new Authenticator();
    const given = key.create(await beginPasskey(place, account, session, site), { origin });
    await addPasskey(place, account, session, site, { name: 'laptop', given });
    const { code } = await invite(place);
    const { options, secret } = await beginPasskeySignIn(place, site);
    const late = { ...place, control: beforeTransaction(place.control, () => accept(place, code)) };
    const answer = { secret, given: key.get(options, { origin }) };
    assert.equal(await signInByPasskey(late, answer, site, client), 'wrong');
    assert.deepEqual(await sessionsOf(place, account.id), []);
  });

  test('a person of a provider whom an accepted invitation has replaced is not let in', async (t) => {
    const { place, provider, proven } = await openProvider(t, open);
    const { account } = await accept(place, (await invite(place)).code);
    assert.ok(typeof (await enterByProvider(place, provider, proven, client)) !== 'string');
    const { code } = await invite(place);
    const late = { ...place, control: beforeTransaction(place.control, () => accept(place, code), 2) };
    assert.equal(await enterByProvider(late, provider, proven, client), 'unknown');
    assert.deepEqual(await sessionsOf(place, account.id), []);
  });

  test('an invitation is used once, also by a password and at a provider at the same time', async (t) => {
    const { place, provider, proven } = await openProvider(t, open);
    const { account, code } = await invite(place);
    const invited = { ...proven, invitation: hashCode(code) };
    const [one, two] = await meet(
      place,
      (held) => accept(held, code),
      () => enterByProvider(place, provider, invited, client),
    );
    assert.equal(one.status, 'fulfilled');
    assert.deepEqual(two, { status: 'fulfilled', value: 'invitation' });
    const { hasPassword, identity } = (await findAccount(place.control.read, { id: account.id }))!;
    assert.deepEqual({ hasPassword, identity }, { hasPassword: true, identity: null });
  });

  test('no session begins by a password that is being changed', async (t) => {
    const place = await openPlace(t, open);
    const { account, stored, session } = await enter(place);
    const wanted = { present: password, wanted: 'another long password' };
    const [changed, begun] = await meet(
      place,
      (held) => changePassword(held, account, session.id, wanted, new PasswordQueue()),
      () => beginSession(place, account, client, proof, (now) => now.password === stored.password),
    );
    assert.equal(changed.status, 'fulfilled');
    assert.deepEqual(begun, { status: 'fulfilled', value: null });
    assert.deepEqual(
      (await sessionsOf(place, account.id)).map(({ id }) => id),
      [session.id],
    );
  });

  test('of two changes of a password from the same one, one is made', async (t) => {
    const place = await openPlace(t, open);
    const { account, session } = await enter(place);
    await beginSession(place, account, client, proof, () => true);
    const other = (await sessionsOf(place, account.id)).find(({ id }) => id !== session.id)!;
    const change = (at: Workplace, of: string, wanted: string) =>
      changePassword(at, account, of, { present: password, wanted }, new PasswordQueue());
    const [one, two] = await meet(
      place,
      (held) => change(held, session.id, 'one long new password'),
      () => change(place, other.id, 'another long new password'),
    );
    assert.equal(one.status, 'fulfilled');
    assert.ok(two.status === 'rejected', 'the second one overwrites the password of the first');
    assert.match(two.reason.message, /the password was changed meanwhile/);
    assert.deepEqual(
      (await sessionsOf(place, account.id)).map(({ id }) => id),
      [session.id],
    );
  });

  for (const [name, change] of Object.entries({
    remove: removePerson,
    demote: (place: Workplace, of: string) => changeRole(place, of, 'operator'),
  }))
    test(`two owners can't ${name} each other at once`, async (t) => {
      const place = await openPlace(t, open);
      for (const of of ['a@operator.test', 'b@operator.test'])
        await accept(place, (await inviteAccount(place, { email: of, role: 'owner' })).code);
      const [one, two] = await meet(
        place,
        (held) => change(held, 'a@operator.test'),
        () => change(place, 'b@operator.test'),
      );
      assert.equal(one.status, 'fulfilled');
      assert.ok(two.status === 'rejected', 'the second one leaves the server without an owner');
      assert.match(two.reason.message, /b@operator\.test is the only owner/);
      const owners = (await listPeople(place, null)).filter(({ role }) => role === 'owner');
      assert.deepEqual(
        owners.map((owner) => owner.email),
        ['b@operator.test'],
      );
    });

  test('a person who became the only owner meanwhile stays one', async (t) => {
    const place = await openPlace(t, open);
    await accept(place, (await inviteAccount(place, { email: 'a@operator.test', role: 'operator' })).code);
    const late = {
      ...place,
      control: beforeTransaction(place.control, () => changeRole(place, 'a@operator.test', 'owner')),
    };
    await assert.rejects(removePerson(late, 'a@operator.test'), /is the only owner/);
    const gone = {
      ...place,
      control: beforeTransaction(place.control, async () => place.control.write('accounts').delete()),
    };
    await assert.rejects(changeRole(gone, 'a@operator.test', 'owner'), { code: 'not_found' });
  });
});

/** An organization whose people also sign in at a provider. */
async function openProvider(t: TestContext, open: Open) {
  const place = await openPlace(t, open);
  const { key } = await setProvider(place, 'acme', { issuer: 'https://login.acme.test', clientId: 'x' });
  const provider = (await findProvider(place, key))!;
  const person = { subject: 'u1', email, isVerified: true, authenticatedAt: place.now() };
  return { place, provider, proven: { ...person, next: '/', invitation: null } };
}
