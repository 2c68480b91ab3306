/** Terms of login keys, as operators write them, and as several change them at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { insertOrg } from '../../db/control/orgs.js';
import { readExpiry, readGrace, readKeyChange, readSources, stateOfKey } from '../../operations/keyterms.js';
import { revokeKey, setKey } from '../../operations/loginkeys.js';
import { onBothDatabases } from '../support/databases.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { sampleOrg } from '../support/samples.js';
import { changedBefore, workplaceOn } from '../support/workplace.js';

const now = Date.UTC(2026, 0, 15, 12);

test('a date means the end of that day where the organization is; a time means itself', () => {
  assert.equal(readExpiry('2026-03-31', 'Europe/Berlin', now), Date.UTC(2026, 2, 31, 22));
  assert.equal(readExpiry('2026-03-28', 'Europe/Berlin', now), Date.UTC(2026, 2, 28, 23));
  assert.equal(readExpiry('2026-01-15', 'America/New_York', now), Date.UTC(2026, 0, 16, 5));
  assert.equal(readExpiry('2026-01-15T18:00', 'UTC', now), Date.UTC(2026, 0, 15, 18));
  assert.equal(readExpiry('2026-01-15T18:00:00+02:00', 'UTC', now), Date.UTC(2026, 0, 15, 16));
});

for (const text of ['2026-02-30', '31.12.2026', 'soon', '2026', '2026-W03']) {
  test(`"${text}" is no date`, () => {
    assert.throws(() => readExpiry(text, 'UTC', now), { code: 'usage', message: /is not a date/ });
  });
}

test('a past date is refused', () => {
  assert.throws(() => readExpiry('2026-01-14', 'UTC', now), { code: 'usage', message: /is in the past/ });
});

test('a wrong address range is a wrong option', () => {
  assert.deepEqual(readSources('10.0.0.0/8, 2001:db8::1'), ['10.0.0.0/8', '2001:db8::1/128']);
  assert.deepEqual(readSources('any'), []);
  for (const wrong of ['10.0.0.0/33', '127.0.0.1/0', '', ' , '])
    assert.throws(() => readSources(wrong), { code: 'usage' }, wrong);
});

test('states', () => {
  assert.equal(stateOfKey({ revokedAt: null, expiresAt: null, notBefore: null }, now), 'usable');
  assert.equal(stateOfKey({ revokedAt: null, expiresAt: now, notBefore: null }, now), 'expired');
  assert.equal(stateOfKey({ revokedAt: 1, expiresAt: null, notBefore: null }, now), 'revoked');
  assert.equal(stateOfKey({ revokedAt: null, expiresAt: null, notBefore: now + 1 }, now), 'pending');
});

test('terms are set, and taken back', () => {
  const read = (...assignments: string[]) => readKeyChange(assignments, 'UTC', now);
  assert.deepEqual(read('label=HR', 'permission=upload-only', 'not-before=2026-02-01', 'from=10.0.0.0/8'), {
    label: 'HR',
    permission: 'upload',
    notBefore: Date.UTC(2026, 1, 1),
    sources: ['10.0.0.0/8'],
  });
  assert.deepEqual(read('notBefore=now', 'expires=never', 'from=any', 'principals=default'), {
    notBefore: null,
    expiresAt: null,
    sources: [],
    principals: null,
  });
  for (const wrong of [
    'colour=red',
    'permission=write',
    'permission=read',
    'permission=read-only',
    'permission=upload',
    'expires=2020-01-01',
    'label',
    'principals=a,,b',
  ])
    assert.throws(() => read(wrong), { code: 'usage' }, wrong);
});

test('times of grace', () => {
  assert.deepEqual(
    ['0', '90s', '30m', '12h', '7d', '2w'].map(readGrace),
    [0, 90_000, 1_800_000, 43_200_000, 604_800_000, 1_209_600_000],
  );
  for (const wrong of ['7', 'd', '-1d', '1y', '', '99999999d'])
    assert.throws(() => readGrace(wrong), { code: 'usage' }, wrong);
});

onBothDatabases('a login key', (open) => {
  test('that is revoked first gets no other terms', async (t) => {
    const place = await workplaceOn(t, (await open(t)).settings);
    await insertOrg(place.control.write, sampleOrg('acme'));
    const pair = newKeyPair();
    await allowKey(place.control, 'acme', pair);
    const { fingerprint } = pair.public;
    const late = changedBefore(place, 'control', () => revokeKey(place, 'acme', fingerprint));
    await assert.rejects(setKey(late, 'acme', fingerprint, { expiresAt: null }), /is revoked/);
    const actions = (await listAudit(place.control.read, 'acme')).map(({ action }) => action);
    assert.deepEqual(actions, ['key.revoked']);
  });
});
