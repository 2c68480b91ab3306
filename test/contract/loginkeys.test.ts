/** Login keys in both databases, and who may come in with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSilentLogger } from '../../config/logger.js';
import { openControl } from '../../db/connection.js';
import { readAccess } from '../../db/control/accessversion.js';
import { findLoginKey, insertLoginKey, listLoginKeys, revokeLoginKey, updateLoginKey } from '../../db/control/keys.js';
import { deleteOrg, insertOrg, updateOrg } from '../../db/control/orgs.js';
import { createAccessWatch } from '../../keys/login/accesswatch.js';
import { createAuthenticator, type Login } from '../../keys/login/authenticate.js';
import { createSshdLogins, noKey } from '../../keys/login/sshdlogin.js';
import { onEveryDatabase } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { sampleOrg } from '../support/samples.js';
import { until } from '../support/session.js';

const pair = newKeyPair();
const wire = Buffer.from(pair.public.publicKey, 'base64');
const { fingerprint } = pair.public;

onEveryDatabase('login keys', (open) => {
  test('a key is kept as it was given, once for each organization', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    await insertOrg(control.write, sampleOrg('globex'));
    const change = { label: 'HR system', sources: ['192.0.2.0/24'], expiresAt: 99 };
    await allowKey(control, 'acme', pair, change);
    await allowKey(control, 'globex', pair);
    const never = { revokedAt: null, revokedBy: null, replacedBy: null, replacedAt: null, notBefore: null };
    const used = { firstUsedAt: null, lastUsedAt: null, lastUsedFrom: null, lastUsedClient: null };
    const plain = {
      kind: 'key',
      note: '',
      permission: 'read',
      allowsSha1: false,
      managedBy: null,
      addedBy: null,
      principals: null,
      secret: null,
    };
    const unused = { ...never, ...used, ...plain, lastUsedAlgorithms: null };
    const { algorithm, publicKey } = pair.public;
    const expected = { org: 'acme', fingerprint, algorithm, publicKey, createdAt: Date.UTC(2026, 0, 1), ...change };
    assert.deepEqual(await findLoginKey(control.read, 'acme', fingerprint), { ...expected, ...unused });
    assert.equal((await listLoginKeys(control.read, 'globex')).length, 1);
    await assert.rejects(allowKey(control, 'acme', pair), { name: 'DatabaseError', code: 'duplicate' });
  });

  test('a revoked key stays in the list, and may be added again', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    await allowKey(control, 'acme', pair);
    assert.equal(await revokeLoginKey(control.write, 'acme', fingerprint, 50), true);
    assert.equal(await revokeLoginKey(control.write, 'acme', fingerprint, 60), false);
    assert.equal((await findLoginKey(control.read, 'acme', fingerprint))?.revokedAt, 50);
    await allowKey(control, 'acme', pair, { label: 'again' });
    const keys = await listLoginKeys(control.read, 'acme');
    assert.deepEqual(
      keys.map(({ label, revokedAt }) => [label, revokedAt]),
      [['again', null]],
    );
  });

  test('adding a key joins the transaction of its caller', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    const { algorithm, publicKey } = pair.public;
    const key = {
      org: 'acme',
      fingerprint,
      algorithm,
      publicKey,
      label: '',
      sources: [],
      expiresAt: null,
      createdAt: 1,
    };
    const undone = control.transact(async (tx) => {
      await insertLoginKey(tx, key);
      throw new Error('undone');
    });
    await assert.rejects(undone, /undone/);
    assert.deepEqual(await listLoginKeys(control.read, 'acme'), []);
  });

  test('a login is let in, or denied for one reason', async (t) => {
    const { control, settings } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    let nowMs = 1000;
    const { authenticate, recordLogin } = createAuthenticator({ control, settings, now: () => nowMs });
    const denialOf = async (org: string, key = wire, address = '192.0.2.7') => {
      const outcome = await authenticate(org, key, address);
      return 'denied' in outcome ? outcome.denied : null;
    };
    assert.equal(await denialOf('nobody'), 'unknown organization');
    assert.equal(await denialOf('acme'), 'unknown key');
    // PostgreSQL takes no text with a NUL: strangers must not cause errors with it.
    assert.equal(await denialOf('acme\0'), 'unknown organization');
    await allowKey(control, 'acme', pair, { sources: ['192.0.2.0/24'], expiresAt: 5000 });
    assert.equal(await denialOf('acme'), null);
    assert.equal(await denialOf('ACME'), 'unknown organization');
    assert.equal(await denialOf('acme', Buffer.from(newKeyPair().public.publicKey, 'base64')), 'unknown key');
    assert.equal(await denialOf('acme', wire, '198.51.100.1'), 'address not allowed for this key');
    const login = await authenticate('acme', wire, '::ffff:192.0.2.7');
    assert.ok(!('denied' in login) && login.org.id === 'acme' && login.fingerprint === fingerprint);
    await recordLogin(login, { address: '192.0.2.7', client: 'OpenSSH_9.2p1', algorithms: 'curve25519-sha256' });
    nowMs = 4999;
    await recordLogin(login, { address: '192.0.2.8', client: 'WinSCP_6', algorithms: null });
    const key = await findLoginKey(control.read, 'acme', fingerprint);
    assert.deepEqual(
      [key?.firstUsedAt, key?.lastUsedAt, key?.lastUsedFrom, key?.lastUsedClient],
      [1000, 4999, '192.0.2.8', 'WinSCP_6'],
    );
    nowMs = 5000;
    assert.equal(await denialOf('acme'), 'expired key');
    await revokeLoginKey(control.write, 'acme', fingerprint, nowMs);
    assert.equal(await denialOf('acme'), 'revoked key');
    await updateOrg(control.write, 'acme', { enabled: false });
    assert.equal(await denialOf('acme'), 'disabled organization');
    await updateOrg(control.write, 'acme', { enabled: true, plan: 'free' });
    assert.equal(await denialOf('acme'), 'plan without SFTP');
  });

  test('behind an sshd that names no key, nobody may do more than every key of the organization', async (t) => {
    const { control, settings } = await open(t);
    const org = sampleOrg('acme');
    await insertOrg(control.write, org);
    const { admit } = createSshdLogins({ control, settings, now: () => 1000 });
    const unnamed = { org, allowsSha1: false, validUntil: null, certificate: null, permission: 'read' } as const;
    const permissionOf = async (key: string) => {
      const outcome = await admit({ ...unnamed, fingerprint: key, credential: key }, '192.0.2.7');
      return 'denied' in outcome ? outcome.denied : outcome.permission;
    };
    assert.equal(await permissionOf(noKey), 'read');
    await allowKey(control, 'acme', pair, { permission: 'upload' });
    assert.equal(await permissionOf(noKey), 'upload');
    assert.equal(await permissionOf(fingerprint), 'upload');
    assert.equal(await permissionOf('SHA256:known-to-sshd-alone'), 'read');
    await revokeLoginKey(control.write, 'acme', fingerprint, 1000);
    assert.equal(await permissionOf(noKey), 'read');
    assert.equal(await permissionOf(fingerprint), 'revoked key');
  });

  test('terms change, and every change of who may be there gives the access another version', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    const changes: [what: string, change: () => Promise<unknown>][] = [
      ['added', () => allowKey(control, 'acme', pair)],
      ['changed', () => updateLoginKey(control.write, 'acme', fingerprint, { permission: 'upload', notBefore: 5 })],
      ['revoked', () => revokeLoginKey(control.write, 'acme', fingerprint, 50)],
      ['disabled', () => updateOrg(control.write, 'acme', { enabled: false })],
      ['removed', () => deleteOrg(control.write, 'acme')],
    ];
    for (const [what, change] of changes) {
      const before = await readAccess(control.read);
      await change();
      assert.ok((await readAccess(control.read)) > before, what);
    }
  });

  test('who is logged in is told when the login no longer holds, on every node', async (t) => {
    const { control, settings } = await open(t);
    const elsewhere = await openControl(settings);
    t.after(() => elsewhere.close());
    let nowMs = 1000;
    const now = () => nowMs;
    const logger = createSilentLogger();
    const authenticator = createAuthenticator({ control, settings, now });
    const access = createAccessWatch({ control, authenticator, logger, now, everyMs: 5 });
    const ended: string[] = [];
    const admit = async (org: string): Promise<() => void> => {
      const login = (await authenticator.authenticate(org, wire, '192.0.2.7')) as Login;
      assert.ok(!('denied' in login), org);
      return access.guard(login, '192.0.2.7', (reason) => ended.push(`${org}: ${reason}`));
    };
    const cases: [org: string, change: (org: string) => Promise<unknown> | number, reason: string][] = [
      ['a-revoked', (org) => revokeLoginKey(elsewhere.write, org, fingerprint, 50), 'revoked key'],
      ['b-disabled', (org) => updateOrg(elsewhere.write, org, { enabled: false }), 'disabled organization'],
      ['c-removed', (org) => deleteOrg(elsewhere.write, org), 'unknown organization'],
      [
        'd-elsewhere',
        (org) => updateLoginKey(elsewhere.write, org, fingerprint, { sources: ['10.0.0.0/8'] }),
        'address not allowed for this key',
      ],
      [
        'e-less',
        (org) => updateLoginKey(elsewhere.write, org, fingerprint, { permission: 'upload' }),
        'other permission for this key',
      ],
      ['f-expired', () => (nowMs = 5000), 'expired key'],
    ];
    for (const [org] of cases) {
      await insertOrg(control.write, sampleOrg(org));
      await allowKey(control, org, pair, { expiresAt: org === 'f-expired' ? 5000 : null });
      await admit(org);
    }
    await insertOrg(control.write, sampleOrg('left'));
    await allowKey(control, 'left', pair);
    (await admit('left'))();
    await revokeLoginKey(elsewhere.write, 'left', fingerprint, 50);
    for (const [index, [org, change, reason]] of cases.entries()) {
      await change(org);
      await until(() => ended.length > index, org, 30_000);
      assert.equal(ended[index], `${org}: ${reason}`);
    }
    assert.equal(ended.length, cases.length);
  });

  test('a new login is judged once, and again only after a change of access', async (t) => {
    const { control, settings } = await open(t);
    for (const org of ['acme', 'globex']) {
      await insertOrg(control.write, sampleOrg(org));
      await allowKey(control, org, pair);
    }
    const now = () => 1000;
    const authenticator = createAuthenticator({ control, settings, now });
    let reviews = 0;
    const review: typeof authenticator.review = (logins) => {
      reviews += logins.length;
      return authenticator.review(logins);
    };
    const access = createAccessWatch({
      control,
      authenticator: { review },
      logger: createSilentLogger(),
      now,
      everyMs: 5,
    });
    const ended: string[] = [];
    const judge = async (org: string) => (await authenticator.authenticate(org, wire, '192.0.2.7')) as Login;
    const guard = (login: Login) => access.guard(login, '192.0.2.7', (reason) => ended.push(reason));
    const release = guard(await judge('acme'));
    await sleep(50);
    assert.equal(reviews, 0);
    const late = await judge('globex');
    await revokeLoginKey(control.write, 'globex', fingerprint, 50);
    guard(late);
    await until(() => ended.length > 0, 'revoked between the look at the key and the login', 30_000);
    assert.deepEqual([ended, reviews], [['revoked key'], 2]);
    release();
  });
});
