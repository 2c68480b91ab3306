/** The values of settings about fields: who may change them, the clear token, and absence from full files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  readClearToken,
  readFieldOwners,
  readOmission,
  writeFieldOwners,
} from '../../../operations/orgsettings/fieldvalues.js';

test('fieldOwners takes standard and custom labels, in any spelling of the former, and leaves file out', () => {
  const owners = readFieldOwners('manager email = People; Office=once;User Name=file; Owner Email=people');
  assert.deepEqual(owners, { 'Manager Email': 'people', Office: 'once', 'Owner Email': 'people' });
  assert.deepEqual(readFieldOwners(writeFieldOwners(owners!)), owners);
  for (const wrong of ['', 'Office', 'Office=me', 'Office=once; office=people', 'User Email=people', 'Status=people'])
    assert.equal(readFieldOwners(wrong), null, wrong);
  for (const wrong of ['Team Name=once', 'Manager=people', 'Office=once=people', '=once'])
    assert.equal(readFieldOwners(wrong), null, wrong);
});

test('clearToken takes a text that is no value by chance', () => {
  for (const token of ['<clear>', '#DELETE#', '(leer)']) assert.equal(readClearToken(token), token);
  for (const wrong of ['', 'a@b', 'a,b', '=1', '-', '+x', "'x", '"x"', 'x'.repeat(41), 'a\tb', 'a;b'])
    assert.equal(readClearToken(wrong), null, wrong);
});

test('omission takes keep, or a number of files', () => {
  assert.equal(readOmission('KEEP'), 'keep');
  assert.equal(readOmission('deactivate-after:03'), 'deactivate-after:3');
  for (const wrong of ['', 'deactivate', 'deactivate-after:0', 'deactivate-after:100', 'deactivate-after:x', '3'])
    assert.equal(readOmission(wrong), null, wrong);
});
