/** Exports are valid imports that change nothing, in every date format. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import type { Db } from '../../db/connection.js';
import { updateOrg } from '../../db/control/orgs.js';
import { bumpVersion } from '../../db/directory/directory.js';
import { readMoment } from '../../db/moment.js';
import { guardFormula } from '../../importer/read/formulaguard.js';
import { collapse } from '../../importer/read/normalize.js';
import { splitTeams } from '../../importer/read/teamlist.js';
import type { Counts } from '../../importer/types.js';
import { exportTeams, exportUsers, joinTeams } from '../../operations/export.js';
import { Company, csv } from '../support/company.js';
import { onBothInLongTests, openFresh } from '../support/databases.js';
import { fc } from '../support/properties.js';
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
  'R&D; Labs | West,,,',
);

const usersFile = csv(
  'User Email,User Name,First Name,Last Name,Manager Email,Teams,User Account Type,Is Org Admin,Deactivation Date,Office,Remote,Started',
  'Ann@acme.test,,Ann,Archer,,"""Research, Dev"",Sales",,yes,,007,Yes,2020-01-31',
  'bob@acme.test,"Bob ""B"" Baker",,,ann@acme.test,"""The """"A"""" Team"",C:\\\\Sales,""R&D; Labs | West""",Observer,No,2026-12-31,"Berlin\nMitte",no,2021-02-28',
  'eve@acme.test,Zoë 王,,,bob@acme.test,,,,2026-01-31,,,',
);

test('every list of team names survives its cell', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    .map(collapse)
    .filter((text) => text !== '');
  const tricky = fc
    .stringMatching(/^[a",;|\\ ]{1,8}$/)
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

/** As a spreadsheet opens and saves a CSV file: it shows `="…"` as a text, and changes numbers, dates and truth values. */
function saveInSpreadsheet(text: string): string {
  // Without a byte order mark it takes UTF-8 for Windows-1252.
  const shown = text.startsWith('\ufeff') ? text.slice(1) : Buffer.from(text).toString('latin1');
  const save = (cell: string): string => {
    const kept = /^="((?:[^"]|"")*)"$/.exec(cell)?.[1];
    if (kept !== undefined) return kept.replaceAll('""', '"');
    if (/^(?:true|false)$/i.test(cell)) return cell.toUpperCase();
    const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(cell) ?? [];
    if (year !== undefined) return `${Number(day)}.${Number(month)}.${year.slice(2)}`;
    const [, first, second] = /^(\d{1,2})[-/.](\d{1,2})$/.exec(cell) ?? [];
    if (first !== undefined) return `${first}. Month ${second}`;
    if (!/^\d+(?:\.\d+)?(?:[eE]\d+)?$/.test(cell)) return cell;
    const value = Number(cell);
    return value >= 1e11 ? value.toExponential(2).toUpperCase() : String(value);
  };
  const rows = parse(shown) as string[][];
  return `\ufeff${stringify(
    rows.map((cells) => cells.map(save)),
    { delimiter: ';', record_delimiter: '\r\n', quoted_match: /[\r\n]/ },
  )}`;
}

test('an export for a spreadsheet, saved there, is an import that changes nothing; a plain one is changed', async (t) => {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, {
    options: { identifier: 'Employee ID' },
    dateFormat: 'mdy',
  });
  const place = await workplaceOn(t, acme.databases.settings);
  const header = 'User Email,User Name,Manager Email,Teams,Deactivation Date,Employee ID,007,Since,Remote,Note';
  await acme.import({
    'teams.csv': csv('Team Name,Parent Team,Team Type', '007,1.10,1E5', '1.10,,="00010"'),
    'users.csv': csv(
      header,
      'ann@acme.test,Änn 5,bob@acme.test,"007,3-4",2026-12-31,00003,0.50,2020-01-31,Yes,true',
      'bob@acme.test,"Bob ""B"" 7",,1.10,,1-2,7E3,2021-02-28,No,\'=1+1',
      'eve@acme.test,,,,,123456789012,12:30,,,"3\n4"',
      'zoe@acme.test,,,,,7,+49 30,,,falsch',
    ),
  });
  const users = await gather(exportUsers(place, 'acme', { forSpreadsheet: true }));
  const teams = await gather(exportTeams(place, 'acme', { forSpreadsheet: true }));
  assert.match(users, /^\ufeffUser Email,.*"=""007""",/);
  for (const save of [saveInSpreadsheet, (text: string) => text]) {
    const again = await acme.import({ 'users.csv': save(users), 'teams.csv': save(teams) });
    assert.deepEqual([changesOf(again.users), changesOf(again.teams)], [nothing, nothing]);
  }
  assert.equal(await gather(exportUsers(place, 'acme', { forSpreadsheet: true })), users);
  assert.notEqual(saveInSpreadsheet(`\ufeff${await gather(exportUsers(place, 'acme'))}`), saveInSpreadsheet(users));
});

onBothInLongTests('exports', (open) => {
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

  test('whatever people write survives an export, in a form that no spreadsheet runs', async (t) => {
    const acme = await Company.open(open, t, { dateFormat: 'dmy' });
    const place = await workplaceOn(t, acme.databases.settings);
    const tricky = fc.stringMatching(/^[-'=+@",;|\t\\ a0]{0,6}$/);
    const text = fc.oneof(tricky, fc.string({ unit: 'grapheme', maxLength: 8 }), fc.constant('13/02/2020'));
    const teams = fc.array(
      text.filter((name) => !/^[,"\\\s]*$/.test(name)),
      { maxLength: 3 },
    );
    const user = fc.record({ name: text, first: text, note: text, teams });
    const header = ['User Email', 'User Name', 'First Name', 'Teams', '=Note', 'Since'];
    await fc.assert(
      fc.asyncProperty(fc.array(user, { minLength: 3, maxLength: 8 }), async (users) => {
        const rows = users.map(({ name, first, note, teams: names }, number) => [
          `${"+-='0"[number % 5]}${number}@acme.test`,
          name,
          first,
          joinTeams(names),
          note,
          '31/01/2020',
        ]);
        await acme.import({ 'users.csv': stringify([header, ...rows].map((cells) => cells.map(guardFormula))) });
        const exported = [await gather(exportUsers(place, 'acme')), await gather(exportTeams(place, 'acme'))];
        for (const cell of exported.flatMap((csvText) => parse(csvText) as string[][]).flat())
          assert.doesNotMatch(cell, /^[=+\-@]/);
        assert.match(exported[0]!, /,31\/01\/2020,?/);
        const again = await acme.import({ 'users.csv': exported[0]!, 'teams.csv': exported[1]! });
        assert.deepEqual([changesOf(again.users), changesOf(again.teams)], [nothing, nothing]);
        assert.equal(await gather(exportUsers(place, 'acme')), exported[0]);
      }),
      { numRuns: 6 },
    );
  });

  test('a field whose label became an alias comes out and goes in beside the standard label', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    await acme.import({ 'users.csv': csv('User Email,Boss', 'ann@acme.test,bob@acme.test', 'bob@acme.test,') });
    await updateOrg(acme.deps.control.write, 'acme', { options: { aliases: { Boss: 'Manager Email' } } });
    const followed = await acme.import({ 'users.csv': csv('User Email,Boss', 'ann@acme.test,bob@acme.test') });
    assert.equal(followed.users.updated, 1);
    const exported = await gather(exportUsers(place, 'acme'));
    const again = await acme.import({ 'users.csv': exported });
    assert.deepEqual([again.files[0]!.refusal, changesOf(again.users)], [null, nothing]);
  });

  test('only what was changed, and only who is active', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const header = 'User Email,User Name,Teams,Deactivation Date';
    await acme.import({
      'users.csv': csv(header, 'ann@acme.test,Ann,Sales,', 'bob@acme.test,Bob,Sales,', 'eve@acme.test,Eve,,2020-01-01'),
    });
    acme.clock += 24 * 3_600_000;
    const second = await acme.import({
      'users.csv': csv('User Email,Teams', 'bob@acme.test,"Sales,People"', 'ann@acme.test,Sales'),
    });
    const emailsOf = async (filter: Parameters<typeof exportUsers>[2]) =>
      (parse(await gather(exportUsers(place, 'acme', filter))) as string[][]).slice(1).map(([email]) => email);
    assert.deepEqual(await emailsOf({ changedSince: '2026-03-11' }), ['bob@acme.test']);
    assert.deepEqual(await emailsOf({ changedSince: String(second.run) }), ['bob@acme.test']);
    assert.equal((await emailsOf({ changedSince: '2026-03-10' })).length, 4);
    assert.deepEqual(await emailsOf({ active: true }), ['ann@acme.test', 'bob@acme.test', 'owner@acme.test']);
    const [, row] = parse(await gather(exportUsers(place, 'acme', { changedSince: '2026-03-11' }))) as string[][];
    assert.equal(row![5], 'People,Sales', 'with all its teams');
    assert.match(await gather(exportTeams(place, 'acme', { changedSince: '2026-03-11' })), /^[^\n]+\nPeople,[^\n]+\n$/);
    await assert.rejects(emailsOf({ changedSince: '999' }), { code: 'not_found' });
    await assert.rejects(emailsOf({ changedSince: 'yesterday' }), { code: 'usage' });
  });

  test('an export has one moment of the directory, whatever an import does meanwhile', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    const rows = Array.from({ length: 2100 }, (_, n) => `u${n}@acme.test,Old,Team ${n % 3}`);
    await acme.import({ 'users.csv': csv('User Email,Office,Teams', ...rows) });
    const whole = [await gather(exportUsers(place, 'acme')), await gather(exportTeams(place, 'acme'))];
    const [users, teams] = [exportUsers(place, 'acme'), exportTeams(place, 'acme')];
    t.after(() => Promise.all([users.return(''), teams.return('')]));
    const begun = ['', ''];
    for (let piece = 0; piece < 2; piece++) begun[0] += (await users.next()).value;
    begun[1] += (await teams.next()).value;
    assert.ok(begun[0]!.split('\n').length < 2100, 'it stands in the middle');
    const changes = rows.map((row) => `${row.replace('Old,Team', 'New,Unit')},`);
    const { run } = await acme.import({
      'users.csv': csv('User Email,Office,Teams,Zone', ...changes, 'zoe@acme.test,,,'),
    });
    assert.equal((await place.directory.read('users').where({ email_key: 'zoe@acme.test' })).length, 1);
    assert.deepEqual([begun[0] + (await gather(users)), begun[1] + (await gather(teams))], whole);
    const since = await gather(exportUsers(place, 'acme', { changedSince: String(run) }));
    assert.match(since, /^zoe@acme\.test,/m);
  });

  test('a reader who stops leaves no transaction open', async (t) => {
    const acme = await Company.open(open, t);
    const place = await workplaceOn(t, acme.databases.settings);
    for (const end of [
      async (pieces: AsyncGenerator<string>) => void (await pieces.return('')),
      async (pieces: AsyncGenerator<string>) => void (await pieces.throw(new Error('broken pipe')).catch(() => {})),
      async (pieces: AsyncGenerator<string>) => void (await gather(pieces)),
    ]) {
      const pieces = exportUsers(place, 'acme');
      await pieces.next();
      assert.equal(await countTransactions(place.directory), 1);
      await end(pieces);
      assert.equal(await countTransactions(place.directory), 0);
    }
    await assert.rejects(gather(exportUsers(place, 'acme', { changedSince: '999' })), { code: 'not_found' });
    assert.equal(await countTransactions(place.directory), 0);
  });

  test('nor does one who stands still', async (t) => {
    const acme = await Company.open(open, t);
    const { directory } = acme.databases;
    const pieces = readMoment(
      directory,
      async function* (db) {
        yield (await db('users')).length;
        yield (await db('users')).length;
      },
      20,
    );
    assert.deepEqual(await pieces.next(), { value: 1, done: false });
    for (const deadline = Date.now() + 60_000; (await countTransactions(directory)) > 0; ) {
      assert.ok(Date.now() < deadline, 'the transaction is ended');
      await sleep(20);
    }
    await assert.rejects(pieces.next(), { code: 'stalled' });
  });
});

/** Transactions of this database that only read and are open; on SQLite 1 stands for any number. */
async function countTransactions({ dialect, read, write }: Db): Promise<number> {
  if (dialect === 'sqlite') {
    // A reader of an older state is in the way of a checkpoint.
    await bumpVersion(write, 'somebody');
    await write.raw('PRAGMA busy_timeout = 0');
    const [{ busy }] = await write.raw('PRAGMA wal_checkpoint(TRUNCATE)');
    return busy;
  }
  const { rows } = await read.raw(
    `SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
  );
  return rows[0].n;
}
