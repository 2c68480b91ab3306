/** The last attempts to log in with each key: bounded for each key, and for all that the organization does not have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptAttempts, listAttempts, noteAttempt } from '../../db/control/loginattempts.js';
import { deleteOrg, insertOrg } from '../../db/control/orgs.js';
import { onBothDatabases } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { sampleOrg } from '../support/samples.js';

onBothDatabases('login attempts', (open) => {
  test('each key keeps its last attempts; all others together keep as many; none is of another organization', async (t) => {
    const { control } = await open(t);
    await insertOrg(control.write, sampleOrg('acme'));
    await insertOrg(control.write, sampleOrg('globex'));
    const pair = newKeyPair();
    const own = pair.public.fingerprint;
    await allowKey(control, 'acme', pair);
    const attempt = { org: 'acme', address: '192.0.2.1', client: 'x'.repeat(999), fingerprint: own, credential: own };
    const times = keptAttempts + 5;
    await control.transact(async (tx) => {
      for (let at = 0; at < times; at++) {
        await noteAttempt(tx, { ...attempt, at, reason: null });
        await noteAttempt(tx, { ...attempt, at, reason: 'expired key' });
        await noteAttempt(tx, {
          ...attempt,
          at,
          fingerprint: `SHA256:${at}`,
          credential: null,
          reason: 'unknown key',
        });
        await noteAttempt(tx, { ...attempt, at, credential: `SHA256:${at}`, reason: 'unknown key' });
      }
    });
    await noteAttempt(control.write, { ...attempt, org: 'globex', at: 0, reason: 'unknown key' });
    await noteAttempt(control.write, { ...attempt, org: 'none', at: 0, reason: 'unknown organization' });
    const all = await listAttempts(control.read, { org: 'acme', withUnknown: true, limit: 999 });
    const count = (of: (one: (typeof all)[number]) => boolean) => all.filter(of).length;
    assert.equal(all[0]!.client!.length, 200);
    assert.equal(
      count(({ credential, reason }) => credential === own && reason === null),
      keptAttempts,
    );
    assert.equal(
      count(({ credential, reason }) => credential === own && reason !== null),
      keptAttempts,
    );
    assert.equal(
      count(({ credential }) => credential === null),
      keptAttempts,
    );
    assert.equal(Math.min(...all.map(({ at }) => at)), 5);
    const ofOwn = await listAttempts(control.read, { org: 'acme', withUnknown: false, limit: 999 });
    assert.equal(ofOwn.length, 2 * keptAttempts);
    assert.ok(ofOwn.every(({ credential }) => credential === own));
    await deleteOrg(control.write, 'acme');
    assert.equal((await control.read('login_attempts').count({ n: '*' }).first())!.n, 1);
  });
});
