/** Exports are valid imports that change nothing, in every date format. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { exportTeams, exportUsers, joinTeams } from '../../src/admin/operations/export.js';
import { updateOrg } from '../../src/db/control/orgs.js';
import { bumpVersion } from '../../src/db/directory/directory.js';
import { collapse } from '../../src/importer/normal.js';
import { splitTeams } from '../../src/importer/teamlist.js';
import type { Counts } from '../../src/importer/types.js';
import { Company, csv } from '../support/company.js';
import { onBothDatabases } from '../support/databases.js';
import { workplaceOn } from '../support/workplace.js';

async function gather(chunks: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const chunk of chunks) text += chunk;
  return text;
}

function changesOf({ unchanged, warnings, faults, refused, ...changes }: Counts): Record<string, number> {
  assert.deepEqual({ warnings, faults, refused }, { warnings: 0, faults: 0, refused: 0 });
  return changes;
}

const nothing = { created: 0, updated: 0, deactivated: 0, scheduled: 0, stubs: 0 };

const teamsFile = csv(
  'Team Name,Owner Email,Parent Team,Team Type',
  '"Research, Dev",ann@acme.test,,department',
  '"The ""A"" Team",,"Research, Dev",',
  'C:\\Sales,bob@acme.test,,',
);

const usersFile = csv(
  'User Email,User Name,First Name,Last Name,Manager Email,Teams,User Account Type,Is Org Admin,Deactivation Date,Office,Remote,Started',
  'Ann@acme.test,,Ann,Archer,,"""Research, Dev"",Sales",,yes,,007,Yes,2020-01-31',
  'bob@acme.test,"Bob ""B"" Baker",,,ann@acme.test,"""The """"A"""" Team"",C:\\\\Sales",Observer,No,2026-12-31,"Berlin\nMitte",no,2021-02-28',
  'eve@acme.test,Zoë 王,,,bob@acme.test,,,,2026-01-31,,,',
);

test('every list of team names survives its cell', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .map(collapse)
    .filter((text) => text !== '');
  const tricky = fc
    .stringMatching(/^[a",\\ ]{1,8}$/)
    .map(collapse)
    .filter((text) => text !== '');
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.oneof(name, tricky), { selector: (one) => one.normalize('NFC').toLowerCase() }),
      (names) => {
        assert.deepEqual(
          splitTeams(joinTeams(names))?.map((team) => team.name),
          names,
        );
      },
    ),
  );
});

onBothDatabases('exports', (open) => {
  test('what was imported comes out under the standard labels, then the custom fields by name', async (t) => {
    const acme = await Company.open(open, t);
    await acme.import({ 'teams.csv': teamsFile, 'users.csv': usersFile });
    const place = await workplaceOn(t, acme.databases.settings);
    const lines = (await gather(exportUsers(place, 'acme'))).split('\n');
    assert.equal(
      lines[0],
      'User Email,User Name,First Name,Last Name,Manager Email,Teams,User Account Type,Is Org Admin,Deactivation Date,Status,Office,Remote,Started',
    );
    assert.equal(
      lines[1],
      'Ann@acme.test,,Ann,Archer,,"""Research, Dev"",Sales",Regular,Yes,,active,007,Yes,2020-01-31',
    );
    assert.match(lines[2]!, /^bob@acme\.test,"Bob ""B"" Baker",,,Ann@acme\.test,/);
    const teams = await gather(exportTeams(place, 'acme'));
    assert.match(teams, /^Team Name,Owner Email,Parent Team,Team Type\n/);
    assert.match(teams, /^"Research, Dev",Ann@acme\.test,,department$/m);
    assert.match(teams, /^"The ""A"" Team",owner@acme\.test,"Research, Dev",$/m);
  });

  for (const dateFormat of ['auto', 'mdy', 'dmy'] as const) {
    test(`importing the exports again changes nothing (${dateFormat})`, async (t) => {
      const acme = await Company.open(open, t);
      await acme.import({ 'teams.csv': teamsFile, 'users.csv': usersFile });
      const place = await workplaceOn(t, acme.databases.settings);
      await updateOrg(place.control.write, 'acme', { dateFormat });
      const users = await gather(exportUsers(place, 'acme'));
      const teams = await gather(exportTeams(place, 'acme'));
      const again = await acme.import({ 'users.csv': users, 'teams.csv': teams });
      assert.deepEqual([changesOf(again.users), changesOf(again.teams)], [nothing, nothing]);
      assert.equal(await gather(exportUsers(place, 'acme')), users);
      assert.equal(await gather(exportTeams(place, 'acme')), teams);
    });
  }

  test('an export over a change of the directory says so instead of mixing two states', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const pieces = exportUsers(place, 'acme');
    await pieces.next();
    await bumpVersion(place.directory.write, 'acme');
    await assert.rejects(gather(pieces), /changed while it was exported/);
  });
});
