/** Accounts of the console in the database, on both databases: secrets are hashed or sealed, and survive a new master key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { totpCode } from '../../keys/login/totp.js';
import { acceptInvitation, generateTotpSecret } from '../../operations/accounts/credentials.js';
import { findPerson, inviteAccount, listPeople, removePerson } from '../../operations/accounts/people.js';
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
    const tables = ['accounts', 'account_invitations', 'account_sessions'];
    const stored = JSON.stringify(await Promise.all(tables.map((table) => place.control.read(table))));
    for (const secret of [password, totpSecret, code, begun.secret, ...recovery])
      assert.ok(!stored.includes(secret) && !stored.includes(secret.replaceAll('-', '')));

    await rotateMaster(place);
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
