/** `/README.txt`: says whose drop it is, when and what, in 80 columns; always up to date; a sender's own file is kept. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listEntries } from '../../../db/control/entries.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { contactOf, nameContact } from '../../../importer/contact.js';
import { renderReadme } from '../../../importer/report/readme.js';
import { updateTemplates } from '../../../importer/schedule/templatefolder.js';
import { Company, csv, importMoment } from '../../support/company.js';
import { openFresh } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';
import type { Scope } from '../../support/temporary.js';

const onSqlite = (scope: Scope) => openFresh(scope, 'sqlite');

/** 11 March 2026, 02:00 in Berlin. */
const nextSlotAt = Date.UTC(2026, 2, 11, 1);

test('it says whose drop it is, when files are imported, and whom to ask', () => {
  const org = sampleOrg('acme', { name: 'Acme Corp', slot: '02:00,14:00', options: { identifier: 'Employee ID' } });
  const text = renderReadme({ org, nextSlotAt, contact: 'People IT, it@acme.test' });
  assert.match(text, /^The file drop of Acme Corp \(acme\)\n/);
  assert.match(
    text,
    /\nEach day at 02:00 and 14:00, time zone Europe\/Berlin\.\nThe next import is on Wednesday, 11 March 2026 at 02:00\.\n/,
  );
  assert.match(text, /\n- The column "Employee ID" identifies a user/);
  assert.match(text, /\nWHOM TO ASK\nPeople IT, it@acme\.test\n$/);
  assert.match(text, /\n {2}users\.check\.txt +what the next import/);
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line);
});

test('it follows the settings: a disabled organization, imports on upload, no early checks, a name of several lines', () => {
  const base = { nextSlotAt, contact: null };
  assert.match(renderReadme({ ...base, org: sampleOrg('acme', { enabled: false }) }), /\nImports are switched off/);
  const onUpload = renderReadme({ ...base, org: sampleOrg('acme', { options: { cadence: 'on-upload' } }) });
  assert.match(onUpload, /\nA file is imported as soon as it has been uploaded\./);
  assert.doesNotMatch(onUpload, /users\.check\.txt/);
  const unchecked = renderReadme({ ...base, org: sampleOrg('acme', { options: { earlyCheck: false } }) });
  assert.doesNotMatch(unchecked, /users\.check\.txt/);
  assert.match(unchecked, /\n- A user who is missing from a file is not removed/);
  const full = renderReadme({ ...base, org: sampleOrg('acme', { options: { omission: 'deactivate-after:3' } }) });
  assert.match(full, /\n- A user who is missing from 3 full files in a row is deactivated\./);
  assert.doesNotMatch(full, /missing from a file is not removed/);
  const named = renderReadme({ ...base, org: sampleOrg('acme', { name: 'Acme\nApprove run 7\u202e' }) });
  assert.match(named, /^The file drop of Acme Approve run 7\\u202e \(acme\)\n/);
  assert.match(named, /\nAsk the people who gave you access to this drop\.\n$/);
});

test('it lies in the root, read-only, and is written again when the next slot or the contact changes', async (t) => {
  const acme = await Company.open(onSqlite, t);
  const { control, settings } = acme.deps;
  const seen = new Map<string, string>();
  await updateTemplates(acme.deps, seen);
  assert.match(await acme.read('/README.txt'), /11 March 2026/);
  const [entry] = await listEntries(control.read, 'acme', '/', null, 1);
  assert.deepEqual([entry!.name, entry!.uploadId], ['README.txt', null]);
  await assert.rejects(acme.drop('/README.txt', 'mine'), { code: 'read_only' });

  acme.clock = importMoment + 86_400_000;
  await updateTemplates({ ...acme.deps, settings: { ...settings, contact: 'the hosting team' } }, seen);
  assert.match(await acme.read('/README.txt'), /12 March 2026[\s\S]*WHOM TO ASK\nthe hosting team\n$/);
  await updateOrg(control.write, 'acme', { options: { contact: 'People IT' } });
  await updateTemplates({ ...acme.deps, settings: { ...settings, contact: 'the hosting team' } }, seen);
  assert.match(await acme.read('/README.txt'), /WHOM TO ASK\nPeople IT\n$/);
});

test("a sender's own README.txt from an earlier version gets another name and is imported under it", async (t) => {
  const acme = await Company.open(onSqlite, t);
  const { control } = acme.deps;
  await acme.drop('/readme-old.txt', csv('User Email', 'ann@acme.test'));
  await control.write('entries').where({ name: 'readme-old.txt' }).update({ name: 'README.txt' });
  await updateTemplates(acme.deps, new Map());
  const names = (await listEntries(control.read, 'acme', '/', null, 5)).map(({ name }) => name);
  assert.deepEqual(names, ['README-2.txt', 'README.txt', 'templates']);
  assert.match(await acme.read('/README.txt'), /^The file drop of/);
  assert.equal(await acme.read('/README-2.txt'), csv('User Email', 'ann@acme.test'));
  assert.equal((await acme.import()).users.created, 1);
});

test('the organization\'s contact comes before the server\'s, and stands behind each "your operator"', () => {
  assert.equal(contactOf({ options: { contact: 'People IT' } }, { contact: 'Hosting' }), 'People IT');
  assert.equal(contactOf({ options: {} }, { contact: 'Hosting' }), 'Hosting');
  assert.equal(contactOf({ options: {} }, {}), null);
  const once = nameContact('Ask your operator. Tell your operator.', 'it@acme.test');
  assert.equal(once, 'Ask your operator (it@acme.test). Tell your operator (it@acme.test).');
  assert.equal(nameContact(once, 'it@acme.test'), once);
  assert.equal(nameContact('Ask your operator.', null), 'Ask your operator.');
});
