/** The page Help: its rules and columns follow the settings of the organization. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Org } from '../../../db/control/orgs.js';
import { csv } from '../../support/company.js';
import { openTestConsole } from '../../support/console.js';

async function readHelp(t: TestContext, change: Partial<Org> = {}, header = 'User Email,Office'): Promise<string> {
  const { acme, person } = await openTestConsole(t, { change });
  await acme.import({
    'users.csv': csv(
      header,
      ...['ann@acme.test,Berlin,E-1,E-1'.split(',').slice(0, header.split(',').length).join(',')],
    ),
  });
  const viewer = await person('viewer', 'acme');
  const { status, text } = await viewer.get('/orgs/acme/help');
  assert.equal(status, 200);
  return text
    .replace(/<[^>]+>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/&#34;/g, '"')
    .replace(/&#60;/g, '<')
    .replace(/&#62;/g, '>')
    .replace(/\s+/g, ' ');
}

test('without settings of its own, the email finds a person, and nothing is emptied or left out', async (t) => {
  const help = await readHelp(t);
  for (const rule of [
    /A person is found by the email; an unknown email creates a person\. No file deletes a person\./,
    /An empty cell leaves the value as it is, .* such as N\/A, NULL, none or -, is an empty cell/,
    /No cell empties a value\./,
    /A person who is not in the file stays unchanged\. To deactivate a person, give a Deactivation Date/,
    /adds the person to its teams; the person leaves none\./,
    /Whether 03\/04\/2027 is in March or April is found out from the other dates/,
    /A manager, an owner or a team that only a cell names is created\./,
    /User Email identifies the person Email; every row needs it/,
    /Teams Names of teams, separated by commas/,
    /Team Name identifies the team Name;/,
    /Office text/,
  ])
    assert.match(help, rule);
  assert.doesNotMatch(help, /full file|"Status"|month first|day first|leaves all others|may change/);
});

test('the rules are those of the organization: identifier, full files, emptied cells, teams and dates', async (t) => {
  const options = { identifier: 'Employee ID', omission: 'deactivate-after:3', clearToken: '<clear>' };
  const change: Partial<Org> = { dateFormat: 'dmy', teamsMode: 'replace', options };
  const help = await readHelp(t, change, 'User Email,Office,employee id');
  for (const rule of [
    /A person is found by "Employee ID": a known "Employee ID" with a new email changes the email of the person/,
    /missing from 3 full files in a row, is deactivated\. .* in the folder \/full, or its name ends in \.full\.csv/,
    /A cell with the text <clear> empties the value\. .*"Employee ID" can not be emptied/,
    /joins its teams, and leaves all others\./,
    /03\/04\/2027 have the day first: this one is 3 April\./,
    /User Email Email; every row needs it; it may change Employee ID identifies the person/,
    /Teams Names of all teams of the person/,
    /employee id identifies the person text/,
  ])
    assert.match(help, rule);
  for (const wrong of [
    /A person is found by the email/,
    /No cell empties a value/,
    /A person who is not in the file stays unchanged/,
    /leaves none/,
    /is in March or April/,
  ])
    assert.doesNotMatch(help, wrong);
});

test('the rules name words, statuses, managers by identifier, and fields that files may not always change', async (t) => {
  const help = await readHelp(t, {
    dateFormat: 'mdy',
    options: {
      identifier: 'Employee ID',
      managerIdentifier: 'Manager ID',
      nullWords: ['unknown', 'tbd'],
      statusWords: { active: ['Active', 'On Leave'], deactivated: ['Terminated'] },
      aliases: { State: 'Status' },
      createMissing: 'no',
      fieldOwners: { 'Manager Email': 'people', Office: 'once' },
      requireDottedDomain: false,
      omission: 'deactivate-after:1',
    },
  });
  for (const rule of [
    /"no value" \(unknown, tbd\) is an empty cell/,
    /words of "Status" mean active: Active, On Leave\. These words of "Status" mean deactivated: Terminated\./,
    /Status A word that says if the person is active State/,
    /whose "Employee ID" is in "Manager ID"/,
    /a team that does not exist is not used/,
    /does not replace a value of "Manager Email" that a person has set/,
    /fills "Office" only while it is empty/,
    /tom@acme is an email too/,
    /missing from a full file, is deactivated/,
    /have the month first: this one is 4 March/,
    /Manager ID "Employee ID" of the manager/,
  ])
    assert.match(help, rule);
});

test('other settings: no words mean "no value", and missing people wait', async (t) => {
  const help = await readHelp(t, {
    options: { nullWords: [], createMissing: 'hold', managerIdentifier: 'Manager ID' },
  });
  assert.doesNotMatch(help, /"no value"|Manager ID/);
  assert.match(help, /waits for a decision before they are created/);
});
