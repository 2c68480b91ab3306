/**
 * The crash matrix: a real server takes uploads of several clients and imports them, is killed at each named step of a
 * file's journey and at random moments, and is started again; after each start every promise made until then is kept.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { openManualRun } from '../../db/control/runs.js';
import { listQueue } from '../../db/control/uploads.js';
import type { RunStep } from '../../importer/run/deps.js';
import type { IntakeStep } from '../../intake/intake.js';
import { addOrganization } from '../../operations/orgs.js';
import type { Workplace } from '../../operations/workplace.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { type Served, startServe } from '../support/program.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import { checkImported, checkPromises, checkWhole, org } from './audit.js';
import { runClient, type Surroundings } from './clients.js';
import { Ledger } from './ledger.js';

export const steps: readonly (IntakeStep | RunStep)[] = [
  'sealed',
  'synced',
  'moved',
  'committed',
  'claimed',
  'planned',
  'reported',
  'applied',
  'settled',
];

export interface Kill {
  /** null: at a random moment. */
  step: (typeof steps)[number] | null;
  /** Times that the step is reached; for a random moment, milliseconds after the first byte. */
  after: number;
  /** At a random moment: which process dies. */
  victim: 'server' | 'importer' | 'both';
}

export interface Tally {
  kills: number;
  acknowledged: number;
  /** Published in the instant before their answer could leave. */
  unanswered: number;
  imported: number;
  superseded: number;
  users: number;
  runs: number;
}

const clients = 4;
const entry = fileURLToPath(new URL('./server.mjs', import.meta.url));
/** Runs are taken over from a dead importer after this long. */
const leaseSeconds = 2;
const openEveryMs = 40;
const noticeMs = 5000;
/** Long enough for every answer that a server sent before its death. */
const farewellMs = 2000;
/** Clients send no more while so many files wait, so that runs stay short. */
const mostWaiting = 16;

/** Kills at every named step, in turn, and at random moments: `count` in all. */
export function planKills(count: number, random: () => number): Kill[] {
  const victims = ['server', 'both', 'importer'] as const;
  return Array.from({ length: count }, (_, n) => {
    const step = n % 2 === 0 ? steps[(n / 2) % steps.length]! : null;
    const isIntake = step !== null && steps.indexOf(step) < steps.indexOf('claimed');
    const most = step === null ? 1500 : isIntake ? 25 : 4;
    return { step, after: 1 + Math.floor(random() * most), victim: victims[Math.floor(random() * victims.length)]! };
  });
}

/** A number of the sequence that a seed begins (a linear congruential generator), from 0 to below 1. */
export function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    // With the rounding of a product of doubles every seed would come into one cycle of ten thousand numbers.
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state / 2_147_483_648;
  };
}

/** Kills one server after another on one data folder; then lets the last one finish its work, and checks all of it. */
export async function runMatrix(
  scope: Scope,
  kills: readonly Kill[],
  random: () => number,
  tell: (line: string) => void,
): Promise<Tally> {
  const data = temporaryFolder(scope);
  const settings = settingsSchema.parse({ data });
  const place = await openWorkplace(settings, { create: true });
  scope.after(place.close);
  const privateKey = await prepare(place);
  const ledger = new Ledger();
  let killed = 0;
  for (const kill of kills) {
    const name = kill.step ?? `random (${kill.victim})`;
    const server = await start(scope, data, kill);
    if (killed > 0) await check(place, ledger, killed);
    await exercise(place, server, kill, { privateKey, ledger, random, round: killed });
    killed++;
    tell(`${String(killed).padStart(4)} ${name} after ${kill.after}: ${ledger.count('acknowledged')} acknowledged`);
  }
  const last = await start(scope, data, null);
  await check(place, ledger, killed);
  await drain(place);
  await checkPromises(place, ledger, clients * killed);
  await checkImported(place, ledger);
  await last.stop();
  await checkWhole(place, 2);
  return count(place, ledger, killed);
}

async function prepare(place: Workplace): Promise<string> {
  const key = newKeyPair();
  await addOrganization(place, org, { ownerEmail: 'jane@acme.test' }, true);
  await allowKey(place.control, org, key);
  return key.private;
}

function start(scope: Scope, data: string, kill: Kill | null): Promise<Served> {
  const env: Record<string, string> = {
    DROPSLOT_PORT: '0',
    DROPSLOT_HOST: '127.0.0.1',
    DROPSLOT_LEASE_SECONDS: String(leaseSeconds),
    // Every file brings new users: a run that the guard holds (rule G1) would keep the next kill from its step.
    DROPSLOT_MAX_CREATIONS: '1000000',
  };
  if (kill?.step != null) Object.assign(env, { CRASH_STEP: kill.step, CRASH_COUNT: String(kill.after) });
  return startServe(scope, { data, env, entry });
}

async function check(place: Workplace, ledger: Ledger, killed: number): Promise<void> {
  await checkPromises(place, ledger, clients * killed);
  await checkWhole(place);
}

/** Uploads from every client, and a run opened again and again, until the server is dead. */
async function exercise(
  place: Workplace,
  server: Served,
  kill: Kill,
  { privateKey, ledger, random, round }: { privateKey: string; ledger: Ledger; random: () => number; round: number },
): Promise<void> {
  let isDead = false;
  const died = server.exited.then(() => {
    isDead = true;
  });
  const gone = died.then(async () => {
    await sleep(farewellMs);
    throw new Error('the server is dead');
  });
  gone.catch(() => {});
  let waiting = 0;
  const surroundings: Surroundings = {
    ledger,
    random,
    turn: async () => {
      while (waiting > mostWaiting && !isDead) await sleep(openEveryMs);
      if (isDead) throw new Error('the server is dead');
    },
    // A client may learn of the end before we do.
    isDying: async () => {
      await Promise.race([died, sleep(noticeMs, undefined, { ref: false })]);
      return isDead;
    },
    gone,
  };
  const account = { port: server.port, privateKey };
  const uploading = Array.from({ length: clients }, (_, n) => runClient(`r${round}-c${n}`, account, surroundings));
  const opening = (async () => {
    while (!isDead) {
      await openManualRun(place.control.write, org, Date.now());
      waiting = (await listQueue(place.control.read, org)).length;
      await sleep(openEveryMs);
    }
  })();
  if (kill.step === null) {
    await sleep(kill.after);
    await end(server, kill.victim);
  }
  const patience = new AbortController();
  const late = sleep(180_000, undefined, { signal: patience.signal }).then(
    () => Promise.reject(new Error(`the server never came to ${kill.step}`)),
    () => {},
  );
  await Promise.race([died, late]);
  patience.abort();
  await Promise.all([...uploading, opening]);
}

/** A dead importer alone is started again by its server, which then dies a moment later. */
async function end(server: Served, victim: Kill['victim']): Promise<void> {
  const importer = server.log.findLast(({ message }) => message === 'an importer process started')?.pid;
  if (victim !== 'server' && typeof importer === 'number') process.kill(importer, 'SIGKILL');
  if (victim === 'importer') await server.waitForLog(({ message }) => message.startsWith('an importer process ended'));
  await server.stop('SIGKILL');
}

/** Opens runs until nothing waits any more. */
async function drain({ control }: Workplace): Promise<void> {
  const deadline = performance.now() + 120_000;
  for (;;) {
    const waiting = await control.read('uploads').whereIn('state', ['queued', 'running']).first('id');
    const working = await control.read('runs').whereIn('state', ['open', 'running']).first('id');
    if (waiting === undefined && working === undefined) return;
    if (performance.now() > deadline) throw new Error('what is queued is not imported in two minutes');
    if (waiting !== undefined && working === undefined) await openManualRun(control.write, org, Date.now());
    await sleep(openEveryMs);
  }
}

async function count({ control, directory }: Workplace, ledger: Ledger, kills: number): Promise<Tally> {
  const rows = await control.read('uploads').join('blobs', 'blobs.id', 'uploads.blob_id').select('state', 'sha256');
  const of = (state: string) => rows.filter((row) => row.state === state).length;
  const users = await directory.read('users').select('id');
  const runs = await control.read('runs').select('id');
  return {
    kills,
    acknowledged: ledger.count('acknowledged'),
    unanswered: rows.filter(({ sha256 }) => ledger.find(sha256)!.state === 'sending').length,
    imported: of('imported'),
    superseded: of('superseded'),
    users: users.length,
    runs: runs.length,
  };
}
