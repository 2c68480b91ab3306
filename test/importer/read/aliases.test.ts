/** Teams that were renamed, and files that still call them by their old names (U7, T1, T3). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteTeamAlias, listTeamAliases, renameTeam } from '../../../db/directory/teamaliases.js';
import { nameKey } from '../../../importer/read/normalize.js';
import { renameTeamOf } from '../../../operations/teamrename.js';
import { Company, csv } from '../../support/company.js';
import { onBothDatabases } from '../../support/databases.js';
import { workplaceOn } from '../../support/workplace.js';

onBothDatabases('renamed teams', (open) => {
  test('T1 U7 T3 a file with the old name means the renamed team', async (t) => {
    const acme = await Company.open(open, t);
    const { directory } = acme.deps;
    const rename = (from: string, name: string) =>
      renameTeam(directory.write, { org: 'acme', fromKey: nameKey(from), name, key: nameKey(name), at: acme.clock });
    const teams = async () => Object.keys(await acme.teams()).sort();
    await acme.import({ 'teams.csv': csv('Team Name,Parent Team', 'Care,', 'Ops,Care', 'Law,') });
    assert.equal(await rename('Sales', 'Success'), 'unknown');
    assert.equal(await rename('Care', 'ops'), 'taken');
    assert.equal(await rename('care', 'Success'), 'renamed');

    const summary = await acme.import({
      'teams.csv': csv('Team Name,Parent Team,Team Type', 'CARE,,Dept', 'Law,care,', 'Success,Care,Dept'),
      'users.csv': csv('User Email,Teams', 'ann@acme.test,"Care,success,Ops"'),
    });
    assert.deepEqual(await acme.codes(summary, 0), ['parent_self@4']);
    assert.deepEqual(await teams(), ['Law', 'Ops', 'Success']);
    assert.equal((await acme.teams()).Law!.parent, 'Success');
    assert.deepEqual((await acme.users())['ann@acme.test']!.teams, ['Ops', 'Success']);

    assert.equal(await rename('Care', 'Customer Success'), 'renamed');
    assert.deepEqual(
      (await listTeamAliases(directory.read, 'acme')).map(({ name, teamName }) => `${name} ${teamName}`),
      ['Care Customer Success', 'Success Customer Success'],
    );
    assert.equal(await rename('Ops', 'CARE'), 'former', 'an old name of another team is not taken away silently');
    const place = await workplaceOn(t, acme.databases.settings);
    const refusal = /"Care" is an old name of "Customer Success".*dropslot teams unalias acme "Care"$/;
    await assert.rejects(renameTeamOf(place, 'acme', 'Ops', 'Care'), { code: 'refused', message: refusal });
    assert.equal(await rename('Success', 'Success'), 'renamed');
    assert.equal(await deleteTeamAlias(directory.write, 'acme', 'care'), true);
    await acme.import({ 'teams.csv': csv('Team Name,Parent Team', 'Care,Customer Success') });
    assert.deepEqual(await teams(), ['Care', 'Law', 'Ops', 'Success']);
    assert.equal((await acme.teams()).Care!.parent, 'Success');
    const changes = await directory
      .read('changes')
      .where({ field: 'Team Name' })
      .orderBy('id')
      .select('before', 'after');
    assert.equal(changes.length, 3);
    assert.deepEqual(changes[0], { before: 'Care', after: 'Success' });
  });
});
