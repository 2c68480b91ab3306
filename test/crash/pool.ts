/**
 * The matrix of the importers: a built server with a pool of importers imports files of several organizations, while members of the
 * pool are killed or hang, the whole server is killed, `import ORG` runs beside it and without it, and the clock jumps. At the end
 * every file was imported once, nothing is left to do, and nothing is left over.
 */
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openManualRun } from '../../db/control/runs.js';
import { listStages } from '../../db/stage.js';
import { Company, csv } from '../support/company.js';
import { openFresh, type TestDatabases } from '../support/databases.js';
import { type Ran, runDropslot, type Served, startServe } from '../support/program.js';
import { until } from '../support/session.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { examine } from '../support/workplace.js';
import { sequence } from './matrix.js';

const entry = fileURLToPath(new URL('./poolserver.mjs', import.meta.url));
const clock = new URL('./clock.mjs', import.meta.url).href;
const orgs = ['alder', 'birch', 'cedar', 'elm'];
const [hour, day] = [3_600_000, 86_400_000];
const jumps = [-hour, hour, day, 365 * day, -365 * day];
const patienceMs = 180_000;

export interface PoolTally {
  files: number;
  users: number;
  runs: number;
  membersKilled: number;
  serversKilled: number;
  hung: number;
  jumps: number;
  imports: number;
  importsKilled: number;
  importsWithoutServer: number;
}

interface Place {
  scope: Scope;
  databases: TestDatabases;
  companies: Company[];
  env: Record<string, string>;
  /** A file that makes the next importer hang, and the file of the clock. */
  hang: string;
  clock: string;
  random: () => number;
  server: Served;
  /** Commands that still run. */
  pending: Promise<Ran>[];
  /** The users of each file that was sent, by organization. */
  sent: Map<string, string[]>;
  tally: PoolTally;
}

type Fault = (place: Place) => Promise<void>;

/** In the order of the table they are equally likely. */
const faults: Record<string, Fault> = {
  member: killMember,
  hang: hangMember,
  clock: jumpClock,
  import: importBeside,
  server: killServer,
};

/** @param tell gets a line for each round. */
export async function runPool(
  scope: Scope,
  { seed, rounds }: { seed: number; rounds: number },
  tell: (line: string) => void,
): Promise<PoolTally> {
  const place = await prepare(scope, sequence(seed));
  const names = Object.keys(faults);
  // Each kind comes once in so many rounds, in an order that the seed gives.
  let waiting: string[] = [];
  for (let round = 1; round <= rounds; round++) {
    if (waiting.length === 0) waiting = shuffle(names, place.random);
    const [name] = waiting.splice(0, 1);
    await send(place);
    await sleep(place.random() * 400);
    await faults[name!]!(place);
    await sleep(place.random() * 400);
    tell(`${String(round).padStart(4)} ${name}: ${place.tally.files} files sent`);
  }
  await settle(place);
  await check(place);
  return place.tally;
}

async function prepare(scope: Scope, random: () => number): Promise<Place> {
  const databases = await openFresh(scope, 'sqlite');
  const companies: Company[] = [];
  for (const id of orgs) companies.push(await Company.join(databases, { id, options: { earlyCheck: false } }));
  const folder = temporaryFolder(scope);
  const files = { hang: join(folder, 'hang'), clock: join(folder, 'clock') };
  writeFileSync(files.clock, '0');
  const env = {
    NODE_OPTIONS: `--import ${clock}`,
    CRASH_CLOCK: files.clock,
    CRASH_HANG: files.hang,
    DROPSLOT_LEASE_SECONDS: '2',
    DROPSLOT_IMPORTERS: '3',
    DROPSLOT_MAX_CREATIONS: '1000000',
  };
  const server = await serve(scope, databases, env);
  const tally = {
    ...{ files: 0, users: 0, runs: 0, membersKilled: 0, serversKilled: 0, hung: 0, jumps: 0 },
    ...{ imports: 0, importsKilled: 0, importsWithoutServer: 0 },
  };
  const sent = new Map(orgs.map((id): [string, string[]] => [id, []]));
  return { scope, databases, companies, env, ...files, random, server, pending: [], sent, tally };
}

function serve(scope: Scope, { settings }: TestDatabases, env: Record<string, string>): Promise<Served> {
  return startServe(scope, { data: settings.data, entry, env });
}

/** A file or two for some of the organizations, and a run of each. */
async function send({ companies, databases, random, sent, tally }: Place): Promise<void> {
  for (const company of companies) {
    if (random() < 0.4) continue;
    company.clock = Date.now();
    for (let left = 1 + Math.floor(random() * 2); left > 0; left--) {
      const n = ++tally.files;
      const users = Array.from({ length: 1 + Math.floor(random() * 40) }, (_, row) => `f${n}-${row}@people.test`);
      await company.drop(`/f${n}.csv`, csv('User Email', ...users));
      sent.get(company.org.id)!.push(...users);
      tally.users += users.length;
    }
    await openManualRun(databases.control.write, company.org.id, Date.now());
  }
}

/** So that a fault finds work to interrupt; where all runs are over before it is seen, it interrupts none. */
async function waitForWork({ databases }: Place): Promise<void> {
  const isWorking = async () =>
    (await databases.control.read('runs').where({ state: 'running' }).first()) !== undefined;
  for (let left = longestWaitMs; left > 0 && !(await isWorking()); left -= 20) await sleep(20);
}

const longestWaitMs = 10_000;

/** One importer of the pool, whatever it does. */
async function killMember(place: Place): Promise<void> {
  const { server, random, tally } = place;
  await waitForWork(place);
  const started = server.log.filter(({ message }) => message === 'an importer process started');
  const alive = started.map(({ pid }) => pid as number).filter(isAlive);
  if (alive.length === 0) return;
  process.kill(alive[Math.floor(random() * alive.length)]!, 'SIGKILL');
  tally.membersKilled++;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** The next rounds come while it hangs. */
async function hangMember({ hang, server }: Place): Promise<void> {
  const before = countHung(server);
  writeFileSync(hang, '');
  for (let left = longestWaitMs; left > 0 && countHung(server) === before; left -= 20) await sleep(20);
}

/** It stays wrong for a moment, or until the clock jumps again. */
async function jumpClock({ clock: file, random, tally }: Place): Promise<void> {
  writeFileSync(file, String(jumps[Math.floor(random() * jumps.length)]));
  tally.jumps++;
  await sleep(300 + random() * 1000);
  if (random() < 0.7) writeFileSync(file, '0');
}

/** In half of the rounds it is killed. */
async function importBeside(place: Place): Promise<void> {
  const isKilled = place.random() < 0.5;
  place.tally.imports++;
  if (isKilled) place.tally.importsKilled++;
  place.pending.push(runImport(place, isKilled ? 500 + place.random() * 2000 : patienceMs));
}

function runImport({ databases, env, random }: Place, timeoutMs: number): Promise<Ran> {
  const org = orgs[Math.floor(random() * orgs.length)]!;
  return runDropslot(['import', org], { data: databases.settings.data, env, timeoutMs });
}

/** In half of the rounds an interrupted run is continued by the command, without a server. */
async function killServer(place: Place): Promise<void> {
  await waitForWork(place);
  await place.server.stop('SIGKILL');
  place.tally.serversKilled++;
  if (place.random() < 0.5) {
    place.tally.importsWithoutServer++;
    const ran = await runImport(place, patienceMs);
    assert.equal(ran.code, 0, `import without a server: ${ran.stderr}`);
  }
  place.tally.hung += countHung(place.server);
  place.server = await serve(place.scope, place.databases, place.env);
}

function countHung({ log }: Served): number {
  return log.filter(({ message }) => message === 'hangs').length;
}

/** The clock is right again, and the faults are over: all by itself, what waits is imported. */
async function settle(place: Place): Promise<void> {
  const { control } = place.databases;
  rmSync(place.hang, { force: true });
  writeFileSync(place.clock, '0');
  await Promise.all(place.pending);
  const isIdle = async () => {
    // A run that was interrupted five times is given up, and its files wait for the next one.
    const queued: string[] = await control.read('uploads').where({ state: 'queued' }).distinct().pluck('org_id');
    const busy: string[] = await control.read('runs').whereIn('state', ['open', 'running']).pluck('org_id');
    for (const org of queued) if (!busy.includes(org)) await openManualRun(control.write, org, Date.now());
    return queued.length + busy.length === 0;
  };
  await until(isIdle, 'nothing waits', patienceMs);
  place.tally.hung += countHung(place.server);
  assert.equal(await place.server.stop(), 0);
}

/** Nothing is lost, nothing came twice, nothing is stuck, and nothing is left over. */
async function check({ databases, companies, sent, tally, hang }: Place): Promise<void> {
  const { control, directory, settings } = databases;
  const uploads: { id: number; state: string; archived_as: string | null }[] = await control.read('uploads');
  assert.equal(uploads.length, tally.files);
  for (const { id, state, archived_as: archivedAs } of uploads) {
    assert.equal(state, 'imported', `upload ${id}`);
    const at = archivedAs!.lastIndexOf('/');
    const place = { dir: archivedAs!.slice(0, at), name: archivedAs!.slice(at + 1), upload_id: id };
    assert.ok(await control.read('entries').where(place).first('id'), `upload ${id} is in the archive`);
  }
  const applied: number[] = await directory.read('applied_uploads').orderBy('upload_id').pluck('upload_id');
  assert.deepEqual(
    applied,
    uploads.map(({ id }) => id).sort((a, b) => a - b),
  );
  for (const { org } of companies) {
    const emails: string[] = await directory.read('users').where({ org_id: org.id }).pluck('email');
    assert.deepEqual(emails.sort(), [org.ownerEmail, ...sent.get(org.id)!].sort(), org.id);
  }
  const created = await directory
    .read('changes')
    .where({ entity: 'user', field: '' })
    .whereNotNull('upload_id')
    .count({ n: '*' });
  assert.equal(Number(created[0]!.n), tally.users, 'each user was created once');
  const summaries: string[] = await control.read('runs').where({ state: 'done' }).pluck('summary');
  const files = summaries.flatMap((summary) => (JSON.parse(summary).files ?? []) as { uploadId: number }[]);
  assert.equal(new Set(files.map(({ uploadId }) => uploadId)).size, files.length, 'one summary has each file');
  assert.equal(files.length, tally.files);
  tally.runs = summaries.length;
  assert.deepEqual(await listStages(settings, directory), []);
  const findings = await examine(settings, { deep: true, now: () => Date.now() + 2 * hour });
  const isAllowed = (message: string) => /^run \d+ failed: given up/.test(message);
  const wrong = findings.filter(({ level, message }) => level === 'wrong' && !isAllowed(message));
  assert.deepEqual(wrong, [], 'doctor --deep');
  assert.equal(existsSync(hang), false);
}

function shuffle(names: readonly string[], random: () => number): string[] {
  return names
    .map((name): [number, string] => [random(), name])
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);
}
