/** Terms of login keys, as operators write them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readExpiry, readSources, stateOfKey } from '../../src/admin/operations/keys.js';

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
    assert.throws(() => readExpiry(text, 'UTC', now), { code: 'usage', message: /is no date/ });
  });
}

test('a past date is refused', () => {
  assert.throws(() => readExpiry('2026-01-14', 'UTC', now), { code: 'usage', message: /is past/ });
});

test('a wrong address range is a wrong option', () => {
  assert.deepEqual(readSources('10.0.0.0/8, 2001:db8::1'), ['10.0.0.0/8', '2001:db8::1/128']);
  assert.throws(() => readSources('10.0.0.0/33'), { code: 'usage' });
});

test('states', () => {
  assert.equal(stateOfKey({ revokedAt: null, expiresAt: null }, now), 'usable');
  assert.equal(stateOfKey({ revokedAt: null, expiresAt: now }, now), 'expired');
  assert.equal(stateOfKey({ revokedAt: 1, expiresAt: null }, now), 'revoked');
});
