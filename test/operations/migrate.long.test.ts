/** Moves between SQLite and PostgreSQL: every row arrives, the old databases refuse writes, and an interrupted move goes on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { openWorkplace } from '../../app/compose.js';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { openToFill } from '../../db/connection.js';
import { hasChanges } from '../../db/move/changes.js';
import { listReferences } from '../../db/move/tables.js';
import { proveAudit } from '../../operations/audit.js';
import { type MoveOptions, type MoveReport, moveDatabases, moveSteps, planMove } from '../../operations/move/move.js';
import { readDestination } from '../../operations/move/target.js';
import { undoMove } from '../../operations/move/undo.js';
import type { Workplace } from '../../operations/workplace.js';
import { Company, csv } from '../support/company.js';
import { createDatabase, openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';

const quiet: MoveOptions = { isVolumeEncrypted: false, onProgress: () => {} };

/** An organization with users, teams, a custom field, history, a report and an archive, on SQLite; and a file that names an empty PostgreSQL. */
async function openInstallation(t: TestContext) {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite', 'sqlite3'), t);
  await acme.import({
    'users.csv': csv(
      'User Email,User Name,Manager Email,Teams,Cost Center',
      'ann@acme.test,Ann,,Sales,7',
      'bo@acme.test,"Bo 😀 O\'Neill",ann@acme.test,"Sales;Ünïts",',
    ),
  });
  await acme.import({ 'users.csv': csv('User Email,User Name,Cost Center', 'ann@acme.test,Anna,{"8"}') });
  const { settings } = acme.databases;
  const url = join(temporaryFolder(t), 'url');
  writeFileSync(url, `${await createDatabase(t)}\n`, { mode: 0o600 });
  const move = (to: string, from: Settings, options: Partial<MoveOptions> = {}) =>
    at(from, (place) => moveDatabases(place, readDestination(to, from), { ...quiet, ...options }));
  return {
    acme,
    settings,
    url: `file:${url}`,
    onPostgres: { ...settings, database: readFileSync(url, 'utf8').trim() },
    move,
  };
}

/** Opens the workplace of a move for `use`. */
async function at<T>(settings: Settings, use: (place: Workplace) => Promise<T>, evenMoved = true): Promise<T> {
  const place = await openWorkplace(settings, { evenMoved });
  try {
    return await use(place);
  } finally {
    await place.close();
  }
}

const digests = ({ tables }: MoveReport, leave: readonly string[] = []) =>
  tables.filter(({ table }) => !leave.includes(table)).map(({ table, rows, sha256 }) => [table, rows, sha256]);

/** Each move adds its record to the trail. */
const trail = ['audit', 'audit_head', 'events', 'pair', 'clock'];

const isInUse = (settings: Settings) => at(settings, async () => true, false);
const refusal = /this installation was moved to/;

test('there and back: every table is equal, and only one of the two databases is in use', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  const before = await at(settings, (place) => planMove(place, readDestination(url, settings)));
  const there = await move(url, settings);
  assert.ok(there.rows > before.rows && there.rows < before.rows + 5, 'the record of the move, and its event');
  assert.match(there.to, /^the PostgreSQL database t_\w+ on /);
  await assert.rejects(isInUse(settings), refusal);
  await at(onPostgres, async (place) => {
    assert.deepEqual((await proveAudit(place, null)).flaws, []);
    assert.equal(Number((await place.directory.read('users').count({ n: '*' }))[0]!.n), 3);
    const ann = await place.directory.read('users').where({ email: 'ann@acme.test' }).first('custom');
    assert.deepEqual(Object.values(ann.custom), ['{"8"}']);
    const fresh = await openFresh(t, 'postgres');
    for (const half of ['control', 'directory'] as const)
      assert.deepEqual(await listReferences(place[half].read), await listReferences(fresh[half].read));
  });
  const back = await move('sqlite', onPostgres);
  assert.deepEqual(digests(back, trail), digests(there, trail));
  await isInUse(settings);
  await assert.rejects(isInUse(onPostgres), refusal);
  // A new user gets a number that nobody had.
  await at(settings, async ({ directory }) => {
    const [{ seq }] = await directory.read.raw("SELECT seq FROM sqlite_sequence WHERE name = 'users'");
    assert.equal(seq, 3);
  });
});

test('the old databases refuse each write, of a process too that had them open before', async (t) => {
  const { acme, settings, url, move } = await openInstallation(t);
  await move(url, settings);
  const { control, directory } = acme.databases;
  for (const [db, table] of [
    [control, 'orgs'],
    [control, 'uploads'],
    [directory, 'users'],
    [directory, 'memberships'],
  ] as const) {
    await assert.rejects(db.write(table).delete(), refusal, table);
    await assert.rejects(db.write(table).update({ org_id: 'x' }), /moved to another|no such column/, table);
  }
  await assert.rejects(acme.drop('/late.csv', 'User Email\n'), refusal);
});

/** Each step is played with kills, too (test/crash/migrate.long.test.ts): here three of them, all with TEST_ALL_ROUNDS=1. */
const steps = process.env.TEST_ALL_ROUNDS === undefined ? (['marked', 'filled', 'moved'] as const) : moveSteps;
for (const step of steps)
  test(`a move that fails after "${step}" goes on, there and back`, async (t) => {
    const { settings, url, onPostgres, move } = await openInstallation(t);
    for (const [to, from] of [
      [url, settings],
      ['sqlite', onPostgres],
    ] as const) {
      const onStep = (reached: string) => {
        if (reached === step) throw new Error('power cut');
      };
      await assert.rejects(move(to, from, { onStep }), /power cut/);
      const report = await move(to, from);
      assert.equal(
        report.rows,
        report.tables.reduce((sum, { rows }) => sum + rows, 0),
      );
    }
    await isInUse(settings);
    await assert.rejects(isInUse(onPostgres), refusal);
  });

test('until a move has ended, the old databases are in use and the new ones are not', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  const onStep = (step: string) => {
    if (step === 'verified') throw new Error('power cut');
  };
  await assert.rejects(move(url, settings, { onStep }), /power cut/);
  await isInUse(settings);
  await assert.rejects(isInUse(onPostgres), /is being copied into this database/);
});

test('rows that change while they are copied arrive as they are at the end', async (t) => {
  const { acme, settings, url, onPostgres, move } = await openInstallation(t);
  const onStep = async (step: string) => {
    if (step !== 'copied') return;
    await acme.import({
      'users.csv': csv('User Email,User Name', 'ann@acme.test,Cy', 'dan@acme.test,Dan'),
    });
    const { write } = acme.databases.directory;
    // Two users exchange a value that is unique; one row goes away.
    await write('users').where({ email: 'ann@acme.test' }).update({ email_key: 'x' });
    await write('users').where({ email: 'bo@acme.test' }).update({ email_key: 'ann@acme.test' });
    await write('users').where({ email: 'ann@acme.test' }).update({ email_key: 'bo@acme.test' });
    await write('memberships').delete();
  };
  await move(url, settings, { onStep });
  const rowsOf = ({ directory }: Pick<Workplace, 'directory'>) =>
    directory.read('users').orderBy('id').select('id', 'email', 'email_key', 'user_name');
  assert.deepEqual(await at(onPostgres, rowsOf), await rowsOf(acme.databases));
});

/** Changes the new database behind the move's back. */
async function tamper(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`SET dropslot.filling = 'on'; ${sql}`);
  await client.end();
}

test('a copy that differs is not switched to', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  const onStep = async (step: string) => {
    if (step === 'filled') await tamper(onPostgres.database, 'DELETE FROM dropslot_directory.changes');
  };
  await assert.rejects(
    move(url, settings, { onStep }),
    /differs in changes \(\d+ rows, 0 in the copy\): nothing was switched/,
  );
  await isInUse(settings);
  await move(url, settings);
  await at(onPostgres, async (place) => assert.deepEqual((await proveAudit(place, null)).flaws, []));
});

test('numbers that PostgreSQL gives to a plan, while the databases are held still, do not stop the move', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  await move(url, settings);
  const onStep = async (step: string) => {
    if (step === 'filled')
      await tamper(onPostgres.database, "SELECT nextval('dropslot_directory.users_id_seq') FROM generate_series(1, 3)");
  };
  await move('sqlite', onPostgres, { onStep });
  await isInUse(settings);
});

test('changes that no note tells are found by the comparison, and the table is compared as a whole from then on', async (t) => {
  const { acme, settings, url, onPostgres, move } = await openInstallation(t);
  const { write } = acme.databases.directory;
  let changes = 0;
  const onStep = async (step: string) => {
    if (step !== 'copied') return;
    // As a fault of SQLite or of the triggers would: rows are changed, and noted nowhere.
    await write.raw('DROP TRIGGER dropslot_changed_users_update');
    await write('users').where({ email: 'ann@acme.test' }).update({ user_name: 'Changed' });
    await write('users')
      .where({ email: 'jane@acme.test' })
      .delete()
      .catch(() => {});
    changes++;
  };
  // A note of another move: nothing is known any more.
  await move(url, settings, {
    onStep: async (step) => {
      await onStep(step);
      if (step === 'copied') await write('move_changes').where({ tbl: '' }).update({ key: 'another move' });
    },
  });
  assert.equal(changes, 1);
  await at(onPostgres, async ({ directory }) =>
    assert.equal((await directory.read('users').where({ email: 'ann@acme.test' }).first()).user_name, 'Changed'),
  );
});

test('a move from PostgreSQL, too, brings each kind of change: of keys, of many rows, of a whole table', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  await move(url, settings);
  const onStep = async (step: string) => {
    if (step !== 'copied') return;
    const client = new pg.Client({ connectionString: onPostgres.database });
    await client.connect();
    await client.query('SET search_path TO dropslot_directory, dropslot_control');
    await client.query('TRUNCATE changes');
    await client.query("UPDATE users SET user_name = 'All'");
    await client.query("INSERT INTO event_marks (name, at) SELECT 'mark ' || n, n FROM generate_series(1, 3000) n");
    await client.query("UPDATE event_marks SET name = 'other 1' WHERE name = 'mark 1'");
    await client.query("DELETE FROM event_marks WHERE name = 'mark 2'");
    await client.end();
  };
  await move('sqlite', onPostgres, { onStep });
  await at(settings, async ({ control, directory }) => {
    assert.equal((await directory.read('changes').count({ n: '*' }))[0]!.n, 0);
    assert.deepEqual(await directory.read('users').distinct('user_name').pluck('user_name'), ['All']);
    const marks: string[] = await control
      .read('event_marks')
      .whereRaw("name LIKE '%r%1' OR name = 'mark 2'")
      .pluck('name');
    assert.ok(marks.includes('other 1') && !marks.includes('mark 1') && !marks.includes('mark 2'));
    assert.equal((await control.read('event_marks').where('name', 'like', 'mark %').count({ n: '*' }))[0]!.n, 2998);
  });
});

test('after a move neither database notes changes any more', async (t) => {
  const { acme, settings, url, onPostgres, move } = await openInstallation(t);
  const isNoted = async () => {
    const triggers = await acme.databases.directory.read('sqlite_master').where('name', 'like', 'dropslot_changed%');
    return [triggers.length > 0, await hasChanges(acme.databases.control.read)];
  };
  const failing = (step: string) => {
    if (step === 'copied') throw new Error('no');
  };
  await assert.rejects(
    move(url, settings, {
      onStep: async (step) => {
        if (step === 'copied') assert.deepEqual(await isNoted(), [true, true]);
        failing(step);
      },
    }),
    /no/,
  );
  assert.deepEqual(await isNoted(), [false, false]);
  await move(url, settings);
  assert.deepEqual(await isNoted(), [false, false]);
  await move('sqlite', onPostgres);
  await at(onPostgres, async ({ control }) => assert.equal(await hasChanges(control.read), false));
});

test('a process that had the new database open since before another move writes nothing while it is filled', async (t) => {
  const { acme, settings, url, onPostgres, move } = await openInstallation(t);
  await move(url, settings);
  let tries = 0;
  // `acme` has SQLite open all the time, as a server that was paused.
  const onStep = async (step: string) => {
    if (step === 'released') return;
    tries++;
    await assert.rejects(acme.databases.control.write('event_marks').insert({ name: step, at: 1 }), refusal, step);
  };
  await move('sqlite', onPostgres, { onStep });
  assert.ok(tries > 5);
  await acme.databases.control.write('event_marks').insert({ name: 'after', at: 1 });
});

test('refuses a database that has data, and one that is in use', async (t) => {
  const { settings, move } = await openInstallation(t);
  const other = await openInstallation(t);
  await other.move(other.url, other.settings);
  await assert.rejects(move(other.url, settings), /has data already, which a move never replaces/);
  const occupied = await Company.open((scope) => openFresh(scope, 'postgres'), t);
  const file = join(temporaryFolder(t), 'url');
  writeFileSync(file, occupied.databases.settings.database);
  await assert.rejects(move(`file:${file}`, settings), /has data already/);
  await isInUse(settings);
});

test('undo: the old databases are in use again, and the new ones are closed before', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  const undo = (to: string | null, isLossAccepted = false) =>
    at(settings, (place) => undoMove(place, to === null ? null : readDestination(to, settings), isLossAccepted));
  await assert.rejects(undo(url), /is in use: there is no move to undo/);
  await move(url, settings);
  await assert.rejects(undo(null), /name the new database with --to/);
  assert.deepEqual((await undo(url)).lostRecords, 0);
  await isInUse(settings);
  await assert.rejects(isInUse(onPostgres), refusal);
  await move(url, settings);
  await at(onPostgres, ({ control }) => control.transact(async () => {}));
  await move('sqlite', onPostgres);
  await isInUse(settings);
});

test('after a move no other database comes into use: not by a move, not by an undo, not by a setting', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  const third = await createDatabase(t);
  const toThird = join(temporaryFolder(t), 'url');
  writeFileSync(toThird, third, { mode: 0o600 });
  const onThird = { ...settings, database: third };
  // A setting, before: the data folder's own database is in use.
  await assert.rejects(isInUse(onThird), /is in use: set "database" to sqlite, and run "dropslot migrate"/);
  await move(url, settings);
  const another =
    /was moved to the PostgreSQL database t_\w+ on .*, and the PostgreSQL database t_\w+ on .* is another database/;
  await assert.rejects(move(`file:${toThird}`, settings), another);
  const undo = (to: string) => at(settings, (place) => undoMove(place, readDestination(to, settings), true));
  await assert.rejects(undo(`file:${toThird}`), another);
  await assert.rejects(
    isInUse(onThird),
    /was moved to .*, and this PostgreSQL database is empty: set "database" to that one/,
  );
  await isInUse(onPostgres);
  // Moved on to a third one, with its consent: the second one is no way back to the first.
  await move(`file:${toThird}`, onPostgres);
  await isInUse(onThird);
  await assert.rejects(undo(url), /is not in use either: this installation was moved to/);
  await assert.rejects(isInUse(settings), refusal);
  // Given up although it is not gone: it comes back, and is refused in this data folder.
  await at(settings, (place) => undoMove(place, null, true));
  await isInUse(settings);
  await assert.rejects(isInUse(onThird), /is in use, and this PostgreSQL database has an older or newer copy/);
});

test('of two moves of one installation to two databases only one ends', async (t) => {
  const { url, settings, onPostgres, move } = await openInstallation(t);
  await move(url, settings);
  // Two machines, with data folders of their own, on one PostgreSQL.
  const targets = await Promise.all(
    [1, 2].map(async () => {
      const file = join(temporaryFolder(t), 'url');
      writeFileSync(file, await createDatabase(t), { mode: 0o600 });
      return file;
    }),
  );
  const folder = () => ({
    ...onPostgres,
    data: temporaryFolder(t),
    masterKey: join(settings.data, 'keys', 'master.key'),
  });
  const ended = await Promise.allSettled(targets.map((file) => move(`file:${file}`, folder())));
  assert.deepEqual(ended.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const refused = ended.find((each) => each.status === 'rejected')!;
  assert.match(String(refused.reason), /was moved to|another "dropslot migrate" works on/);
  // And to one database: the second one is told.
  const [winner] = targets.filter((_, n) => ended[n]!.status === 'fulfilled');
  const onWinner = { ...folder(), database: readFileSync(winner!, 'utf8') };
  const both = await Promise.allSettled([folder(), folder()].map(({ data }) => move(url, { ...onWinner, data })));
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  await isInUse({ ...onPostgres, data: onWinner.data });
});

test('the half that rests while the other one is compared is not ended, nor is a long statement by the time limits of an administrator', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  await move(url, settings);
  const name = new URL(onPostgres.database).pathname.slice(1);
  const client = new pg.Client({ connectionString: onPostgres.database });
  await client.connect();
  await client.query(
    `ALTER DATABASE ${name} SET statement_timeout = '10s'; ALTER DATABASE ${name} SET lock_timeout = '5s'`,
  );
  await client.end();
  // The least time that a transaction may rest in is 10 s.
  const onStep = async (step: string) => {
    if (step === 'held') await sleep(12_000);
  };
  await move('sqlite', { ...onPostgres, leaseSeconds: 5 }, { onStep });
  await isInUse(settings);
});

test('undo gives up records of the new databases only when that is confirmed', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  await move(url, settings);
  await at(onPostgres, async (place) => {
    const { recordAudit } = await import('../../db/control/audit.js');
    await recordAudit(place.control.write, {
      at: 1,
      org: null,
      actor: 'system',
      action: 'server.started',
      subject: 'x',
      detail: {},
    });
  });
  const undo = (isLossAccepted: boolean) =>
    at(settings, (place) => undoMove(place, readDestination(url, settings), isLossAccepted));
  await assert.rejects(undo(false), /has recorded 1 events since the move/);
  assert.equal((await undo(true)).lostRecords, 1);
  await assert.rejects(isInUse(onPostgres), refusal);
});

test('keys in the order of their bytes: texts beyond the basic plane are paired right', async (t) => {
  const { acme, settings, url, onPostgres, move } = await openInstallation(t);
  const names = ['\u{1F600}', '\uFF5E', 'Z', 'a', 'Ä', '\uE000', ' ', "'", 'aa'];
  const { write } = acme.databases.control;
  await write('event_marks').insert(names.map((name) => ({ name, at: 1 })));
  const onStep = async (step: string) => {
    if (step === 'copied') await write('event_marks').where({ name: 'Ä' }).update({ at: 2 });
  };
  await move(url, settings, { onStep });
  const found = await at(onPostgres, ({ control }) => control.read('event_marks').whereIn('name', names));
  assert.equal(found.length, names.length);
  assert.equal(found.find(({ name }) => name === 'Ä').at, 2);
});

test('data that release 0.1.0 wrote can be moved', async (t) => {
  const { url, onPostgres } = await openInstallation(t);
  const data = temporaryFolder(t);
  const release = fileURLToPath(new URL('../formats/0.1.0/data.tar.gz', import.meta.url));
  execFileSync('tar', ['-C', data, '-xzf', release]);
  const settings = settingsSchema.parse({ data });
  const report = await at(settings, (place) => moveDatabases(place, readDestination(url, settings), quiet));
  assert.ok(report.rows > 50);
  await at({ ...onPostgres, data }, async (place) => assert.deepEqual((await proveAudit(place, null)).flaws, []));
});

test('a filled database follows its foreign keys again', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  await move(url, settings);
  await move('sqlite', onPostgres);
  const filled = await openToFill(settings, 'control');
  t.after(() => filled.close());
  assert.deepEqual(await filled.read.raw('PRAGMA foreign_key_check'), []);
});
