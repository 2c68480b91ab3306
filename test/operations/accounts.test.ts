/** Accounts of the console in the database, on both databases: secrets are hashed or sealed, and survive a new master key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { putChallenge, takeChallenge } from '../../db/control/accountchallenges.js';
import { insertPasskey, listPasskeys, notePasskeyUse } from '../../db/control/accountpasskeys.js';
import { totpCode } from '../../keys/login/totp.js';
import { acceptInvitation, generateTotpSecret } from '../../operations/accounts/credentials.js';
import { removeProvider, setProvider, showProvider } from '../../operations/accounts/orgprovider.js';
import { findPerson, inviteAccount, listPeople, removePerson } from '../../operations/accounts/people.js';
import { findProvider, readClientSecret } from '../../operations/accounts/provider.js';
import { PasswordQueue, recognizeSession, signIn } from '../../operations/accounts/sessions.js';
import { rotateMaster } from '../../operations/masterkey.js';
import { addOrganization, removeOrganization } from '../../operations/orgs.js';
import { onBothDatabases } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

const password = 'correct horse battery staple';
const client = { address: '192.0.2.1', agent: null };

onBothDatabases('accounts', (open) => {
  test('secrets are hashed or sealed; a rotated master key opens the second factor; a removed organization takes its people along', async (t) => {
    const { settings } = await open(t);
    let now = Date.UTC(2026, 2, 10);
    const place = { ...(await workplaceOn(t, settings)), now: () => now };
    await addOrganization(place, 'acme', { ownerEmail: 'owner@acme.test' }, true);
    const { code } = await inviteAccount(place, { email: 'Hr@Acme.test', role: 'admin', org: 'acme' });
    const totpSecret = generateTotpSecret();
    const { recovery } = await acceptInvitation(place, code, {
      password,
      totpSecret,
      totpCode: totpCode(totpSecret, now),
    });
    await inviteAccount(place, { email: 'boss@operator.test', role: 'owner' });

    const queue = new PasswordQueue();
    const enter = (given: string) => signIn(place, { email: 'hr@acme.test', password, code: given }, client, queue);
    now += 60_000;
    const begun = (await enter(totpCode(totpSecret, now)))!;
    assert.equal((await recognizeSession(place, begun.secret, null))!.account.email, 'Hr@Acme.test');
    const tables = ['accounts', 'account_invitations', 'account_sessions', 'account_browsers'];
    const stored = JSON.stringify(await Promise.all(tables.map((table) => place.control.read(table))));
    for (const secret of [password, totpSecret, code, begun.secret, ...recovery])
      assert.ok(!stored.includes(secret) && !stored.includes(secret.replaceAll('-', '')));

    const secret = 'the secret of the client';
    await setProvider(place, 'acme', { issuer: 'https://login.acme.test', clientId: 'x', secret });
    const provider = (await findProvider(place, (await showProvider(place, 'acme')).key))!;
    const [sealed] = await place.control.read('org_providers').select('secret');
    assert.match(sealed.secret, /AGE ENCRYPTED/);
    await rotateMaster(place);
    assert.equal(await readClientSecret(place, provider), secret);
    // A secret is sent to no other issuer.
    await setProvider(place, 'acme', { issuer: 'https://login.evil.test' });
    assert.equal(await readClientSecret(place, { ...provider, issuer: 'https://login.evil.test' }), null);
    assert.equal(await removeProvider(place, 'acme'), 'https://login.evil.test');
    now += 60_000;
    assert.ok(await enter(totpCode(totpSecret, now)));
    // Two requests with one code: one of them signs in.
    const both = await Promise.all([enter(recovery[0]!), enter(recovery[0]!.toUpperCase())]);
    assert.equal(both.filter((one) => one !== null).length, 1);

    assert.deepEqual(
      (await listPeople(place)).map(({ email, org }) => [email, org]),
      [
        ['boss@operator.test', null],
        ['Hr@Acme.test', 'acme'],
      ],
    );
    await assert.rejects(findPerson(place, 'boss@operator.test', 'acme'), /no account/);
    // Another process.
    const other = { ...(await workplaceOn(t, settings)), now: () => now };
    const last = (await enter(recovery[1]!))!;
    assert.ok(await recognizeSession(other, last.secret, null));
    await removePerson(place, 'hr@acme.test');
    assert.equal(await recognizeSession(other, last.secret, null), null, 'at once, in every process');
    await inviteAccount(place, { email: 'Hr@Acme.test', role: 'admin', org: 'acme' });
    await removeOrganization(place, 'acme');
    assert.deepEqual(
      (await listPeople(place)).map(({ email }) => email),
      ['boss@operator.test'],
    );
    assert.equal(await recognizeSession(place, begun.secret, null), null);
  });

  test('an organization has a bounded number of accounts, and leaves the others room', async (t) => {
    const { settings } = await open(t);
    const place = await workplaceOn(t, settings);
    for (const id of ['acme', 'other']) await addOrganization(place, id, { ownerEmail: `owner@${id}.test` }, true);
    const invite = (n: number, org: string) =>
      inviteAccount(place, { email: `p${n}@${org}.test`, role: 'viewer', org });
    for (let n = 0; n < 200; n++) await invite(n, 'acme');
    await assert.rejects(invite(200, 'acme'), {
      code: 'refused',
      message: 'acme has 200 accounts: remove those that are not used',
    });
    // A new invitation of a known person is no new account.
    await invite(0, 'acme');
    await invite(0, 'other');
    await inviteAccount(place, { email: 'boss@operator.test', role: 'owner' });
    assert.equal((await listPeople(place, 'acme')).length, 200);
    await removePerson(place, 'p7@acme.test');
    await invite(200, 'acme');
  });
});

onBothDatabases('challenges of sign-ins', (open) => {
  test('each is used once, by its browser, in its time; over a number the oldest are forgotten', async (t) => {
    const { settings } = await open(t);
    const { control } = await workplaceOn(t, settings);
    const put = (hash: string, createdAt: number) =>
      control.transact((tx) =>
        putChallenge(tx, { hash, kind: 'passkey', data: { hash }, createdAt, expiresAt: createdAt + 100 }),
      );
    await put('a', 1_000);
    assert.equal(await takeChallenge(control.write, 'a', 'provider', 1_050), null, 'of another kind');
    const both = await Promise.all([1, 2].map(() => takeChallenge(control.write, 'a', 'passkey', 1_050)));
    assert.deepEqual(
      both.filter((one) => one !== null),
      [{ hash: 'a' }],
    );
    await put('b', 1_000);
    assert.equal(await takeChallenge(control.write, 'b', 'passkey', 1_100), null, 'expired');
    const rows = Array.from({ length: 10_050 }, (_, n) => ({
      ...{ hash: `h${n}`, kind: 'passkey', data: '{}', created_at: 2_000 + n, expires_at: 99_999 },
    }));
    for (let n = 0; n < rows.length; n += 500) await control.write('account_challenges').insert(rows.slice(n, n + 500));
    await put('newest', 20_000);
    const [{ all }] = (await control.read('account_challenges').count({ all: '*' })) as [{ all: number }];
    assert.ok(Number(all) <= 10_001, String(all));
    assert.equal(await control.read('account_challenges').where({ hash: 'h0' }).first(), undefined);
    assert.deepEqual(await takeChallenge(control.write, 'newest', 'passkey', 20_001), { hash: 'newest' });
  });

  test('of two uses of a passkey with one count, one counts; one without a count is used again and again', async (t) => {
    const { settings } = await open(t);
    const place = await workplaceOn(t, settings);
    const { account } = await inviteAccount(place, { email: 'boss@operator.test', role: 'owner' });
    const { control } = place;
    const passkey = { account: account.id, publicKey: 'x', name: 'laptop', createdAt: 1 };
    await insertPasskey(control.write, { ...passkey, id: 'psk_1', credential: 'one', counter: 5 });
    await insertPasskey(control.write, { ...passkey, id: 'psk_2', credential: 'two', counter: 0 });
    const uses = await Promise.all([1, 2].map(() => notePasskeyUse(control.write, 'psk_1', 6, 2)));
    assert.deepEqual(uses.sort(), [false, true]);
    for (const at of [2, 3]) assert.equal(await notePasskeyUse(control.write, 'psk_2', 0, at), true);
    assert.deepEqual(
      (await listPasskeys(control.read, account.id)).map(({ id, counter, usedAt }) => [id, counter, usedAt]),
      [
        ['psk_1', 6, 2],
        ['psk_2', 0, 3],
      ],
    );
    await removePerson(place, 'boss@operator.test');
    assert.deepEqual(await listPasskeys(control.read, account.id), []);
  });
});
