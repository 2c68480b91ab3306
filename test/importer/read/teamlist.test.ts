/** `Teams` cells: how names are told apart, and that what an export writes is read back (rule U6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collapse, nameKey } from '../../../importer/read/normalize.js';
import { splitTeams } from '../../../importer/read/teamlist.js';
import { fc } from '../../support/properties.js';

const names = (cell: string) => splitTeams(cell)?.map(({ name }) => name) ?? null;

for (const [cell, expected] of [
  ['Sales', ['Sales']],
  [' Sales ,  EMEA  North,', ['Sales', 'EMEA North']],
  ['"R, D",Ops', ['R, D', 'Ops']],
  ['"say ""hi"", twice"', ['say "hi", twice']],
  ['R\\, D,Ops', ['R, D', 'Ops']],
  ['C:\\Temp', ['C:\\Temp']],
  ['5" pipes,Ops', ['5" pipes', 'Ops']],
  ['Sales,SALES', ['Sales']],
  [',, ,', []],
  ['"  " "R, D",Ops', ['R, D', 'Ops']],
  [' x "R, D"', ['x "R', 'D"']],
  ['"open', null],
] as const) {
  test(`${cell} names ${JSON.stringify(expected)}`, () => assert.deepEqual(names(cell), expected));
}

test('quoted names are read back as they were', () => {
  const name = fc
    .string({ unit: fc.constantFrom('a', 'B', ',', '"', '\\', ' ', 'é'), minLength: 1, maxLength: 8 })
    .filter((text) => text.trim() !== '');
  fc.assert(
    fc.property(fc.uniqueArray(name, { selector: nameKey, maxLength: 5 }), (teams) => {
      const cell = teams.map((team) => `"${team.replaceAll('"', '""')}"`).join(',');
      assert.deepEqual(names(cell), teams.map(collapse));
    }),
  );
});
