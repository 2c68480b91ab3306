/** `nullWords`, `statusWords` and `managerIdentifier`, as operators set them (rules U6a, U8b, U12b). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergeOptions } from '../../../operations/orgsettings/optionrows.js';
import { readAssignments } from '../../../operations/orgsettings/orgsettings.js';
import {
  readNullWords,
  readStatusWords,
  writeNullWords,
  writeStatusWords,
} from '../../../operations/orgsettings/wordvalues.js';

test('null words are a list, and "off" is none', () => {
  assert.deepEqual(readNullWords('NULL,  not   known ,#N/A'), ['NULL', 'not known', '#N/A']);
  assert.deepEqual(readNullWords('Off'), []);
  assert.equal(writeNullWords([]), 'off');
  for (const words of [['NULL', 'N/A'], []]) assert.deepEqual(readNullWords(writeNullWords(words)), words);
  for (const wrong of ['', 'a,,b', 'x'.repeat(61), Array(101).fill('x').join(',')])
    assert.equal(readNullWords(wrong), null);
});

test('words of a status have one meaning each', () => {
  const words = { active: ['Active', 'On Leave'], deactivated: ['Terminated'] };
  assert.deepEqual(readStatusWords('active: Active, On  Leave; DEACTIVATED:Terminated'), words);
  assert.deepEqual(readStatusWords('deactivated: Gone'), { active: [], deactivated: ['Gone'] });
  assert.deepEqual(readStatusWords(writeStatusWords(words)), words);
  for (const wrong of [
    ...['', 'Active', 'active', 'active:', 'active: A;', 'active: A; active: B', 'left: A'],
    ...['active: A; deactivated: a', 'active: Deactivated', 'deactivated: active', 'active: A, , B'],
  ])
    assert.equal(readStatusWords(wrong), null, wrong);
  assert.throws(
    () => readAssignments(['statusWords=Active']),
    /statusWords must be "active:" and "deactivated:", each/,
  );
});

test('a column with the identifiers of managers needs an identifier', () => {
  const set = (before: object, ...assignments: string[]) =>
    mergeOptions(before, readAssignments(assignments).options ?? {});
  const both = { identifier: 'ID', managerIdentifier: 'Manager ID' };
  assert.deepEqual(set({}, 'identifier=ID', 'managerIdentifier=Manager ID'), both);
  assert.deepEqual(set(both, 'managerIdentifier=default', 'identifier=default'), {});
  assert.throws(() => set({}, 'managerIdentifier=Manager ID'), /needs an identifier; set both/);
  assert.throws(() => set(both, 'identifier=default'), /or set managerIdentifier=default/);
  assert.throws(() => set({}, 'identifier=ID', 'managerIdentifier=i d'), /two different columns/);
});
