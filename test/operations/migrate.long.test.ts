/** Moves between SQLite and PostgreSQL: every row arrives, the old databases refuse writes, and an interrupted move goes on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { openWorkplace } from '../../app/compose.js';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { openToFill } from '../../db/connection.js';
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

for (const step of moveSteps)
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

test('a copy that differs is not switched to', async (t) => {
  const { settings, url, onPostgres, move } = await openInstallation(t);
  const tamper = async (step: string) => {
    if (step !== 'filled') return;
    const client = new pg.Client({ connectionString: onPostgres.database });
    await client.connect();
    await client.query(`UPDATE dropslot_control.audit SET actor = 'system' WHERE action = 'databases.moved'`);
    await client.end();
  };
  await assert.rejects(
    move(url, settings, { onStep: tamper }),
    /differs in audit \(\d+ rows, \d+ in the copy\): nothing was switched/,
  );
  await isInUse(settings);
  await move(url, settings);
  await at(onPostgres, async (place) => assert.deepEqual((await proveAudit(place, null)).flaws, []));
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
