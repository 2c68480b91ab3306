/** What an operator may say about an organization. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeLimits } from '../../operations/orglimits.js';
import { checkOrgId, describeChange, readAssignments, readOrgFields } from '../../operations/orgsettings.js';
import { sampleOrg } from '../support/samples.js';

test('keys are read in camelCase and in kebab-case', () => {
  assert.deepEqual(readAssignments(['slot=03:30', 'time-zone=Europe/Berlin', 'dateFormat=dmy', 'teams=replace']), {
    slot: '03:30',
    timeZone: 'Europe/Berlin',
    dateFormat: 'dmy',
    teamsMode: 'replace',
  });
  assert.deepEqual(readAssignments(['name=a=b']), { name: 'a=b' });
});

test('limits are read with their units; "default" takes them away', () => {
  const fields = readAssignments(['maxStoredBytes=20GiB', 'max-files=500', 'maxFileBytes=default']);
  assert.deepEqual(fields, { limits: { maxStoredBytes: 20 * 1024 ** 3, maxFiles: 500, maxFileBytes: null } });
  assert.deepEqual(mergeLimits({ maxFileBytes: 5, maxNameBytes: 9 }, fields.limits!), {
    maxNameBytes: 9,
    maxStoredBytes: 20 * 1024 ** 3,
    maxFiles: 500,
  });
  for (const wrong of ['maxFiles=0', 'maxFiles=many', 'maxNameBytes=256', 'maxStoredBytes=-1', 'maxFileBytes=1.5GiB'])
    assert.throws(() => readAssignments([wrong]), /takes a number/);
});

test('an unknown key lists the known ones', () => {
  assert.throws(() => readAssignments(['slott=03:30']), /unknown key "slott".*name, owner, slot, timeZone/);
  assert.throws(() => readAssignments(['slot']), /KEY=VALUE/);
});

for (const [name, value] of Object.entries({
  slot: '24:00',
  timeZone: 'Berlin',
  dateFormat: 'ymd',
  teams: 'merge',
  owner: 'jane',
  name: ' ',
})) {
  test(`${name} refuses "${value}" and says what it takes`, () => {
    assert.throws(() => readOrgFields({ [name]: value }), { code: 'usage', message: new RegExp(`^${name} takes `) });
  });
}

test('an id is an SSH user name', () => {
  for (const id of ['acme', 'a', '0-x_y.z', 'a'.repeat(32)]) checkOrgId(id);
  for (const id of ['', 'Acme', '-acme', '.acme', 'ac me', 'a/b', 'ä', 'a'.repeat(33), 'a\n'])
    assert.throws(() => checkOrgId(id), { code: 'usage' }, id);
});

test('the audit trail says what changed, but no address', () => {
  const org = sampleOrg('acme');
  assert.deepEqual(describeChange(org, { slot: '04:00', ownerEmail: 'bob@acme.test', name: org.name }), {
    slot: { from: '02:00', to: '04:00' },
    ownerEmail: 'changed',
  });
});
