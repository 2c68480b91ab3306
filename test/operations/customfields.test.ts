/** Custom fields as operators change them: later files find them, values fit or are refused, everything is recorded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listAudit } from '../../db/control/audit.js';
import { updateOrg } from '../../db/control/orgs.js';
import { readVersion } from '../../db/directory/directory.js';
import { insertField, listFields } from '../../db/directory/fields.js';
import { noCounts } from '../../importer/counts.js';
import { renderTemplates } from '../../importer/report/templates.js';
import { confirmField, hideField, listCustomFields, renameField, retypeField } from '../../operations/customfields.js';
import { exportUsers } from '../../operations/export.js';
import { showUser } from '../../operations/users.js';
import { Company, csv } from '../support/company.js';
import { onBothInLongTests } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

async function headerOf(chunks: AsyncIterable<string>): Promise<string> {
  for await (const chunk of chunks) return chunk.trim();
  throw new Error('nothing was exported');
}

onBothInLongTests('custom fields', (open) => {
  test('renamed, confirmed and hidden: later files find them', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    await acme.import({ 'users.csv': csv('User Email,Office,Desk', 'ann@acme.test,Berlin,7') });
    const renamed = await renameField(place, 'acme', 'office', 'Work  Location');
    assert.deepEqual([renamed.label, renamed.aliases], ['Work Location', ['office']]);
    const again = await acme.import({ 'users.csv': csv('User Email,OFFICE', 'ann@acme.test,Bonn') });
    assert.deepEqual([again.users.updated, again.users.warnings], [1, 0]);
    await acme.import({ 'users.csv': csv('User Email,Work Location', 'ann@acme.test,Ulm') });
    assert.deepEqual((await acme.users())['ann@acme.test']!.custom, { 'Work Location': 'Ulm', Desk: '7' });
    const story = async () => (await showUser(place, 'acme', 'ann@acme.test')).story;
    const ulm = (await story()).find(({ field }) => field === 'Work Location')!;
    assert.deepEqual([ulm.value, ulm.from?.after], ['Ulm', 'Ulm']);
    const both = await acme.import({ 'users.csv': csv('User Email,Work Location,Office', 'ann@acme.test,Kiel,Trier') });
    assert.deepEqual(await acme.codes(both), ['field_twice@1']);
    assert.equal(((await acme.users())['ann@acme.test']!.custom as Record<string, string>)['Work Location'], 'Kiel');

    for (const [label, wanted] of [
      ['Desk', 'work location'],
      ['Desk', 'Office'],
      ['Desk', 'manager email'],
      ['Desk', 'Status'],
    ] as const)
      await assert.rejects(renameField(place, 'acme', label, wanted), { code: 'refused' });
    await assert.rejects(renameField(place, 'acme', 'Nothing', 'Else'), { code: 'not_found' });
    assert.equal((await renameField(place, 'acme', 'Work Location', 'Office')).aliases[0], 'worklocation');
    const kiel = (await story()).find(({ field }) => field === 'Office')!;
    assert.deepEqual(
      [kiel.value, kiel.from?.after],
      ['Kiel', 'Kiel'],
      'a value tells where it is from, whatever its field was called',
    );

    await confirmField(place, 'acme', 'Manager Emial', 'text');
    const near = await acme.import({ 'users.csv': csv('User Email,Manager Emial', 'ann@acme.test,on purpose') });
    assert.deepEqual([near.users.updated, near.users.warnings], [1, 0]);
    await assert.rejects(confirmField(place, 'acme', 'Teams', 'text'), { code: 'refused' });

    await hideField(place, 'acme', 'Desk', true);
    assert.match(await headerOf(exportUsers(place, 'acme')), /,Status,Manager Emial,Office$/m);
    const fields = await listCustomFields(place, 'acme');
    assert.deepEqual(
      fields.map(({ label, hidden, users }) => [label, hidden, users]),
      [
        ['Office', false, 1],
        ['Desk', true, 1],
        ['Manager Emial', false, 1],
      ],
    );
    assert.ok(!renderTemplates(acme.org, fields)[2]!.text.includes('Desk'));
    await acme.import({ 'users.csv': csv('User Email,Desk', 'ann@acme.test,8') });
    assert.equal(((await acme.users())['ann@acme.test']!.custom as Record<string, string>).Desk, '8');
    const actions = (await listAudit(place.control.read, 'acme')).map(({ action }) => action);
    assert.deepEqual(
      actions.filter((action) => action.startsWith('field.')),
      ['field.renamed', 'field.renamed', 'field.confirmed', 'field.hidden'],
    );
  });

  test('F9 C1 more fields than a file has room for: exports and templates of earlier days are read', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const { directory } = acme.deps;
    await acme.import({ 'users.csv': csv('User Email,Office', 'ann@acme.test,Berlin') });
    const [first] = await listFields(directory.read, 'acme');
    for (let n = 0; n < 159; n++)
      await insertField(directory.write, 'acme', { ...first!, id: `f${n}`, label: `Old ${n}`, position: n }, `old${n}`);
    let text = '';
    for await (const chunk of exportUsers(place, 'acme')) text += chunk;
    assert.equal(text.split('\n', 1)[0]!.split(',').length, 170);
    const template = renderTemplates(acme.org, await listFields(directory.read, 'acme'))[2]!.text;
    const again = await acme.import({ 'users.csv': text, 'template.csv': template });
    assert.deepEqual(await acme.codes(again, 0), []);
    assert.deepEqual(await acme.codes(again, 1), ['no_rows@']);
    assert.deepEqual([again.users.unchanged, again.users.updated, again.users.refused], [2, 0, 0]);

    const more = csv('User Email,Office,Desk', 'ann@acme.test,Berlin,7');
    const codesOf = async () => acme.codes(await acme.import({ 'more.csv': more }));
    assert.deepEqual(await codesOf(), ['too_many_fields@1']);
    assert.deepEqual(await codesOf(), ['too_many_fields@1'], 'it is told of each time');
    const full = { code: 'refused', message: /^a file can have 139 custom fields \(maxColumns is 150\)/ };
    await assert.rejects(confirmField(place, 'acme', 'Manager Emial', 'text'), full);
    for (let n = 0; n < 21; n++) await hideField(place, 'acme', `Old ${n}`, true);
    assert.deepEqual(await codesOf(), ['too_many_fields@1'], 'there are 139');
    await assert.rejects(hideField(place, 'acme', 'Old 0', false), full);
    await hideField(place, 'acme', 'Old 21', true);
    assert.deepEqual(await codesOf(), []);
    assert.deepEqual((await acme.users())['ann@acme.test']!.custom, { Office: 'Berlin', Desk: '7' });
  });

  test('another type: what fits is written as the type writes it; what does not is refused, or stays', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const dates = ['01/02/2020', '31/01/2021', 'soon'];
    await acme.import({
      'users.csv': csv('User Email,Started', ...dates.map((date, number) => `u${number}@acme.test,${date}`)),
    });
    const valuesOf = async () => {
      const users = await acme.users();
      return dates.map((_, number) => (users[`u${number}@acme.test`]!.custom as Record<string, string>).Started);
    };
    const unfit: string[] = [];
    const trial = { force: false, isTrial: true, onUnfit: ({ value }: { value: string }) => void unfit.push(value) };
    const version = await readVersion(place.directory.read, 'acme');
    await retypeField(place, 'acme', 'Started', 'date', trial);
    assert.equal(await readVersion(place.directory.read, 'acme'), version, 'no import has to plan anew');
    assert.deepEqual([unfit, await valuesOf()], [['soon'], dates]);
    await assert.rejects(retypeField(place, 'acme', 'Started', 'date', { force: false }), {
      code: 'refused',
      message: /^1 value of "Started" does not fit the type date/,
    });
    assert.deepEqual(await valuesOf(), dates, 'nothing was changed');
    assert.equal((await retypeField(place, 'acme', 'Started', 'date', { force: true })).type, 'date');
    assert.deepEqual(await valuesOf(), ['2020-02-01', '2021-01-31', 'soon']);
    const changes = await place.directory.read('changes').whereNull('run_id').whereIn('field', ['Started', 'Type']);
    assert.deepEqual(
      changes.map(({ entity, before, after }) => [entity, before, after]),
      [
        ['user', '01/02/2020', '2020-02-01'],
        ['user', '31/01/2021', '2021-01-31'],
        ['field', 'text', 'date'],
      ],
    );
    const later = await acme.import({ 'users.csv': csv('User Email,Started', 'u2@acme.test,later') });
    assert.deepEqual(await acme.codes(later), ['field_mismatch@2']);

    assert.deepEqual(await valuesOf(), ['2020-02-01', '2021-01-31', 'soon']);
    const other = await acme.import({
      'users.csv': csv('User Email,Started', 'u1@acme.test,soon', 'u2@acme.test,soon'),
    });
    assert.deepEqual(await acme.codes(other), ['field_mismatch@2'], "another user's value");

    await acme.import({ 'users.csv': csv('User Email,Remote', 'u0@acme.test,yes', 'u1@acme.test,No') });
    assert.equal((await retypeField(place, 'acme', 'Remote', 'text', { force: false })).type, 'text');
    assert.equal((await retypeField(place, 'acme', 'Remote', 'boolean', { force: false })).type, 'boolean');
    await assert.rejects(retypeField(place, 'acme', 'Remote', 'date', { force: false }), { message: /^2 values/ });
  });

  test('C3 values that a retyping has left are exported, and imported again without a word', async (t) => {
    const acme = await Company.open(open, t, { options: { identifier: 'ID' } });
    const place = await workplaceOn(t, acme.databases.settings);
    const header = 'User Email,ID,Started,Remote';
    const rows = ['a@acme.test,1,13/01/2020,no', 'b@acme.test,2,01/13/2020,often', 'c@acme.test,3,02/03/2020,=x'];
    await acme.import({ 'users.csv': csv(header, ...rows, 'd@acme.test,4,2020-03-01,yes', 'e@acme.test,5,soon,') });
    await retypeField(place, 'acme', 'Started', 'date', { force: true });
    await retypeField(place, 'acme', 'Remote', 'boolean', { force: true });
    const before = await acme.users();
    assert.deepEqual(before['c@acme.test']!.custom, { ID: '3', Started: '02/03/2020', Remote: '=x' });
    for (const dateFormat of ['auto', 'auto', 'mdy'] as const) {
      await updateOrg(place.control.write, 'acme', { dateFormat });
      let text = '';
      for await (const chunk of exportUsers(place, 'acme')) text += chunk;
      const again = await acme.import({ 'users.csv': text });
      // Since the organization has told how it writes dates, these are some.
      const [updated, unchanged] = dateFormat === 'auto' ? [0, 6] : [2, 4];
      assert.deepEqual(again.users, { ...noCounts(), updated, unchanged }, dateFormat);
      assert.deepEqual(await acme.codes(again), []);
    }
    const after = Object.entries(await acme.users()).filter(([, { custom }]) => (custom as { ID?: string }).ID);
    const values = after.map(([, { custom }]) => (custom as { Started: string }).Started).sort();
    assert.deepEqual(values, ['13/01/2020', '2020-01-13', '2020-02-03', '2020-03-01', 'soon']);
    const renamed = await acme.import({
      'users.csv': csv(header, 'new@acme.test,5,soon,', 'f@acme.test,6,soon,often'),
    });
    assert.deepEqual(await acme.codes(renamed), ['field_mismatch@3', 'field_mismatch@3']);
  });
});
