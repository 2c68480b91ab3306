/** Templates: exact labels, the organization's own fields, no harm when they are dropped as they are, always up to date. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { listEntries } from '../../../db/control/entries.js';
import { updateOrg } from '../../../db/control/orgs.js';
import { listFields } from '../../../db/directory/fields.js';
import { teamLabels, userLabels } from '../../../importer/read/labels.js';
import { renderTemplates } from '../../../importer/report/templates.js';
import { updateTemplates } from '../../../importer/schedule/templatefolder.js';
import { loadOrCreateMaster } from '../../../keys/master/master.js';
import { createOrgIdentity } from '../../../keys/master/orgidentity.js';
import { blobPath } from '../../../storage/blobs.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import { sampleOrg } from '../../support/samples.js';

onBothDatabases('templates', (open) => {
  test('they have the exact labels and follow the fields; a stat tells their size', async (t) => {
    const acme = await Company.open(open, t, { name: 'Acme Corp', dateFormat: 'dmy' });
    const { control } = acme.deps;
    const seen = new Map<string, string>();
    await updateTemplates(acme.deps, seen);
    assert.equal(await acme.read('/templates/users.csv'), `${Object.values(userLabels).join(',')}\r\n`);
    assert.equal(await acme.read('/templates/teams.csv'), `${Object.values(teamLabels).join(',')}\r\n`);

    await acme.import({ 'users.csv': csv('User Email,=Desk,Remote,Started', 'ann@acme.test,007,yes,31/01/2020') });
    await updateTemplates(acme.deps, seen);
    await updateTemplates(acme.deps, new Map());
    assert.match(await acme.read('/templates/users.csv'), /,Deactivation Date,'=Desk,Remote,Started\r\n$/);
    const example = await acme.read('/templates/example.txt');
    assert.match(example, /^How to fill users\.csv and teams\.csv of Acme Corp\n/);
    assert.match(example, /Started +your own field: a date\n/);
    assert.match(example, /,No,31\/03\/2027,,Yes,31\/01\/2026$/m);
    for (const { name, size, uploadId } of await listEntries(control.read, 'acme', '/templates', null, 10)) {
      assert.equal(size, Buffer.byteLength(await acme.read(`/templates/${name}`)), name);
      assert.equal(uploadId, null);
    }
    const blobs = await control.read('blobs').pluck('id');
    assert.ok(blobs.every((id) => existsSync(blobPath(acme.deps.paths, id))));
  });

  test('the column that identifies users is there before any file has it', () => {
    const org = sampleOrg('acme', { options: { identifier: 'Employee ID' } });
    assert.match(renderTemplates(org, [])[2]!.text, /,Deactivation Date,Employee ID\r\n$/);
  });

  test('dropped as they are they change nothing', async (t) => {
    const acme = await Company.open(open, t);
    await acme.import({ 'users.csv': csv('User Email,Desk', 'ann@acme.test,1') });
    const before = await acme.users();
    const { directory } = acme.deps;
    const fields = await listFields(directory.read, 'acme');
    const files = renderTemplates(acme.org, fields).map(({ name, text }) => [name, text]);
    const summary = await acme.import(Object.fromEntries(files));
    const outcomes = summary.files.map(({ name, state, rows }) => [name, state, rows]);
    assert.deepEqual(outcomes.sort(), [
      ['example.txt', 'refused', outcomes.find(([name]) => name === 'example.txt')![2]],
      ['teams.csv', 'imported', 0],
      ['users.csv', 'imported', 0],
    ]);
    assert.deepEqual(await acme.users(), before);
    assert.equal((await directory.read('fields')).length, fields.length);
  });

  test('they are sealed again to an identity that replaces a destroyed one', async (t) => {
    const acme = await Company.open(open, t);
    const { control, paths } = acme.deps;
    await updateTemplates(acme.deps, new Map());
    await updateOrg(control.write, 'acme', { sealedIdentity: null });
    await updateTemplates(acme.deps, new Map());
    const { master } = await loadOrCreateMaster(paths);
    const identity = await createOrgIdentity(master.recipient);
    await updateOrg(control.write, 'acme', identity);
    await updateTemplates(acme.deps, new Map());
    Object.assign(acme.org, identity);
    assert.match(await acme.read('/templates/teams.csv'), /^Team Name,/);
  });
});
