/** Access tokens: shown once and stored as a hash, recognized until they expire or are revoked, and their last use. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { insertOrg } from '../../db/control/orgs.js';
import { addToken, listAllTokens, recognizeToken, revokeTokenById, stateOfToken } from '../../operations/tokens.js';
import { onBothDatabases } from '../support/databases.js';
import { sampleOrg } from '../support/samples.js';
import { workplaceOn } from '../support/workplace.js';

onBothDatabases('access tokens', (open) => {
  test('a token is recognized by its secret alone, until it is revoked', async (t) => {
    const { settings, control } = await open(t);
    const place = await workplaceOn(t, settings);
    await insertOrg(control.write, sampleOrg('acme'));
    const { secret, ...added } = await addToken(place, { name: ' HR portal ', org: 'acme', scope: 'operate' });
    assert.match(secret, /^dst_[\w-]{43}$/);
    assert.deepEqual(await listAllTokens(place), [added]);
    assert.equal(added.name, 'HR portal');
    const stored = JSON.stringify(await control.read('api_tokens').select('*'));
    assert.ok(!stored.includes(secret.slice(4)));

    assert.deepEqual(await recognizeToken(place, secret, '192.0.2.1'), added);
    for (const wrong of ['', 'dst_', `${secret}x`, secret.slice(0, -1), `dst_${'A'.repeat(43)}`, added.id])
      assert.equal(await recognizeToken(place, wrong, null), null);

    await revokeTokenById(place, added.id);
    assert.equal(await recognizeToken(place, secret, null), null);
    await assert.rejects(revokeTokenById(place, added.id), { code: 'refused' });
    await assert.rejects(revokeTokenById(place, 'tok_none'), { code: 'not_found' });
    const actions = (await listAudit(control.read, 'acme')).map(({ action, subject }) => `${action} ${subject}`);
    assert.deepEqual(actions, [`token.added ${added.id}`, `token.revoked ${added.id}`]);
  });

  test('a token expires, and its last use is written once a minute', async (t) => {
    const { settings } = await open(t);
    let now = Date.UTC(2026, 0, 1);
    const place = { ...(await workplaceOn(t, settings)), now: () => now };
    const { secret } = await addToken(place, { name: 'x', scope: 'read', expires: '2026-01-02' });
    const use = async (from: string) => {
      await recognizeToken(place, secret, from);
      const [token] = await listAllTokens(place);
      return [token!.lastUsedAt! - Date.UTC(2026, 0, 1), token!.lastUsedFrom];
    };
    assert.deepEqual(await use('192.0.2.1'), [0, '192.0.2.1']);
    now += 59_999;
    assert.deepEqual(await use('192.0.2.2'), [0, '192.0.2.1']);
    now += 1;
    assert.deepEqual(await use('192.0.2.3'), [60_000, '192.0.2.3']);
    // The day that it names is the last one.
    now = Date.UTC(2026, 0, 3) - 1;
    assert.notEqual(await recognizeToken(place, secret, null), null);
    now += 1;
    assert.equal(await recognizeToken(place, secret, null), null);
    assert.equal(stateOfToken((await listAllTokens(place))[0]!, now), 'expired');
    await insertOrg(place.control.write, sampleOrg('acme', { timeZone: 'Europe/Berlin' }));
    const ofOrg = await addToken(place, { name: 'x', scope: 'read', org: 'acme', expires: '2026-01-03' });
    assert.equal(ofOrg.expiresAt, Date.UTC(2026, 0, 3, 23));
    const timed = await addToken(place, { name: 'x', scope: 'read', expires: '2026-01-03T12:00Z' });
    assert.equal(timed.expiresAt, Date.UTC(2026, 0, 3, 12));
  });
});

onBothDatabases('wrong tokens', (open) => {
  test('are refused with the reason', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    const wrong: [object, string, RegExp][] = [
      [{ scope: 'reed' }, 'usage', /did you mean "read"/],
      [{ name: ' ' }, 'usage', /--name/],
      [{ name: 'a\nb' }, 'usage', /--name/],
      [{ org: 'none' }, 'not_found', /no organization/],
      [{ expires: '2020-01-01' }, 'usage', /in the past/],
      [{ expires: 'soon' }, 'usage', /not a date/],
    ];
    for (const [change, code, message] of wrong)
      await assert.rejects(addToken(place, { name: 'x', scope: 'read', ...change }), { code, message });
  });
});
