/** Login keys in both databases, and who may come in with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLoginKey, insertLoginKey, listLoginKeys, revokeLoginKey } from '../../src/db/control/keys.js';
import { insertOrg, updateOrg } from '../../src/db/control/orgs.js';
import { createAuthenticator } from '../../src/keys/authenticate.js';
import { onBothDatabases } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { sampleOrg } from '../support/samples.js';

const pair = newKeyPair();
const wire = Buffer.from(pair.public.publicKey, 'base64');
const { fingerprint } = pair.public;

onBothDatabases('login keys', (open) => {
  test('a key is kept as it was given, once for each organization', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    await insertOrg(control.write, sampleOrg('globex'));
    const change = { label: 'HR system', sources: ['192.0.2.0/24'], expiresAt: 99 };
    await allowKey(control, 'acme', pair, change);
    await allowKey(control, 'globex', pair);
    const unused = { revokedAt: null, firstUsedAt: null, lastUsedAt: null, lastUsedFrom: null, lastUsedClient: null };
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
    const undone = control.write.transaction(async (tx) => {
      await insertLoginKey(tx, key);
      throw new Error('undone');
    });
    await assert.rejects(undone, /undone/);
    assert.deepEqual(await listLoginKeys(control.read, 'acme'), []);
  });

  test('a login is let in, or denied for one reason', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    let nowMs = 1000;
    const { authenticate, recordLogin } = createAuthenticator({ control, now: () => nowMs });
    const denialOf = async (org: string, key = wire, address = '192.0.2.7') => {
      const outcome = await authenticate(org, key, address);
      return 'denied' in outcome ? outcome.denied : null;
    };
    assert.equal(await denialOf('nobody'), 'unknown organization');
    assert.equal(await denialOf('acme'), 'unknown key');
    await allowKey(control, 'acme', pair, { sources: ['192.0.2.0/24'], expiresAt: 5000 });
    assert.equal(await denialOf('acme'), null);
    assert.equal(await denialOf('ACME'), 'unknown organization');
    assert.equal(await denialOf('acme', Buffer.from(newKeyPair().public.publicKey, 'base64')), 'unknown key');
    assert.equal(await denialOf('acme', wire, '198.51.100.1'), 'address not allowed for this key');
    const login = await authenticate('acme', wire, '::ffff:192.0.2.7');
    assert.ok(!('denied' in login) && login.org.id === 'acme' && login.fingerprint === fingerprint);
    await recordLogin(login, '192.0.2.7', 'OpenSSH_9.2p1');
    nowMs = 4999;
    await recordLogin(login, '192.0.2.8', 'WinSCP_6');
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
  });
});
