/**
 * Two writers of one file: a real server is killed at each step of their CLOSEs. A CLOSE that was answered has published all that its
 * handle wrote, on top of the version before it; bytes without a CLOSE are never published, and a dead writer blocks no other.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type ssh2 from 'ssh2';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { listQueue } from '../../db/control/uploads.js';
import type { IntakeStep } from '../../intake/intake.js';
import { addOrganization } from '../../operations/orgs.js';
import type { Workplace } from '../../operations/workplace.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { type Served, startServe } from '../support/program.js';
import { connect, openSftp } from '../support/server.js';
import { openScope, type Scope, temporaryFolder } from '../support/temporary.js';
import { checkWhole, org } from './audit.js';

const closeSteps: readonly IntakeStep[] = ['sealed', 'synced', 'moved', 'committed'];
const path = '/users.csv';
const entry = fileURLToPath(new URL('./server.mjs', import.meta.url));
/** Long enough for every answer that a server sent before its death. */
const farewellMs = 500;
/** A CLOSE that waits for another writer would never come back. */
const patienceMs = 20_000;

/** append: at the end; patch: the first eight bytes, without truncation; whole: with truncation. */
type Kind = 'append' | 'patch' | 'whole';

export interface Round {
  step: IntakeStep | null;
  /** Which of the CLOSEs dies there. */
  count: 1 | 2;
  writers: readonly [Kind, Kind];
  sessions: 'one' | 'two';
  /** Whether the second CLOSE waits for the answer to the first. */
  inTurn: boolean;
  /** A third writer, without a CLOSE: its connection dies before the CLOSEs of the others, or with the server. */
  third: 'dies' | 'lives';
}

/** Every combination. */
export function planRounds(): Round[] {
  const rounds: Round[] = [];
  const pairs: [Kind, Kind][] = [
    ['append', 'append'],
    ['append', 'patch'],
    ['append', 'whole'],
    ['whole', 'patch'],
  ];
  for (const step of closeSteps)
    for (const count of [1, 2] as const)
      for (const writers of pairs)
        for (const sessions of ['one', 'two'] as const)
          for (const inTurn of [true, false])
            rounds.push({ step, count, writers, sessions, inTurn, third: rounds.length % 2 === 0 ? 'dies' : 'lives' });
  return rounds;
}

/** Runs the rounds on one data folder: each begins with the file as the one before has left it. */
export async function runRounds(scope: Scope, rounds: readonly Round[], tell: (line: string) => void): Promise<void> {
  const data = temporaryFolder(scope);
  const place = await openWorkplace(settingsSchema.parse({ data }), { create: true });
  scope.after(place.close);
  const key = newKeyPair();
  await addOrganization(place, org, { ownerEmail: 'jane@acme.test' }, true);
  await allowKey(place.control, org, key);
  let content = '';
  for (const [number, round] of rounds.entries()) {
    const ending = openScope();
    try {
      content = await play(ending, { place, data, privateKey: key.private }, round, number, content);
    } finally {
      await ending.close();
    }
    tell(`${number + 1}: ${JSON.stringify(round)}`);
  }
  await checkWhole(place);
}

interface Stage {
  place: Workplace;
  data: string;
  privateKey: string;
}

/** The content that the file has afterwards. */
async function play(
  scope: Scope,
  { place, data, privateKey }: Stage,
  { step, count, writers, sessions, inTurn, third }: Round,
  number: number,
  before: string,
): Promise<string> {
  const env: Record<string, string> = { DROPSLOT_HOST: '127.0.0.1' };
  // The file is made in the first round: its own CLOSE comes before those of the writers.
  const made = before === '' ? 1 : 0;
  if (step !== null) Object.assign(env, { CRASH_STEP: step, CRASH_COUNT: String(count + made) });
  const server = await startServe(scope, { data, env, entry });
  const login = { host: '127.0.0.1', port: server.port, username: org, privateKey };
  const open = async () => {
    const client = await connect(scope, login);
    client.on('error', () => {});
    return { client, sftp: await openSftp(client) };
  };
  const first = await open();
  const second = sessions === 'one' ? first : await open();
  const ghost = await open();
  const start = before || 'User Email\n';
  if (made === 1) await (await begin(first.sftp, 'whole', start)).close();
  const texts = writers.map((kind, index) => textOf(kind, index, number));
  const handles = [
    await begin(first.sftp, writers[0], texts[0]!),
    await begin(second.sftp, writers[1], texts[1]!),
  ] as const;
  await begin(ghost.sftp, 'append', `ghost-${number}\n`);
  if (third === 'dies') {
    ghost.client.destroy();
    await sleep(20);
  }
  const answered = await close(server, handles, inTurn);
  if (step === null) await server.stop();
  else await server.exited;

  const found = await read(place);
  const orders = [[], [0], [1], [0, 1], ...(inTurn ? [] : [[1, 0]])].filter((order) =>
    answered.every((index) => order.includes(index)),
  );
  // A CLOSE that was committed as the server died may have had no answer.
  const most = answered.length + (step === 'committed' || !inTurn ? 1 : 0);
  const allowed = orders
    .filter((order) => order.length <= most)
    .map((order) => order.reduce((text, index) => apply(text, writers[index]!, texts[index]!), start));
  assert.ok(allowed.includes(found), `${JSON.stringify({ found, allowed, answered })} after round ${number}`);
  return found;
}

/** Indexes of the writers whose CLOSE was answered with OK. */
async function close(server: Served, handles: readonly Writer[], inTurn: boolean): Promise<number[]> {
  const answered: number[] = [];
  const gone = server.exited.then(() => sleep(farewellMs));
  const late = sleep(patienceMs, 'late', { ref: false });
  const attempt = async (index: number) => {
    const told = await Promise.race([handles[index]!.close().then(() => 'ok' as const), gone, late]).catch(() => null);
    assert.notEqual(told, 'late', `the CLOSE of writer ${index} is not answered`);
    if (told === 'ok') answered.push(index);
  };
  if (inTurn) for (const index of handles.keys()) await attempt(index);
  else await Promise.all([...handles.keys()].map(attempt));
  return answered;
}

interface Writer {
  close(): Promise<void>;
}

/** Opens the file and writes; the server has answered the WRITE. */
async function begin(sftp: ssh2.SFTPWrapper, kind: Kind, text: string): Promise<Writer> {
  const flags = { append: 'a', patch: 'r+', whole: 'w' } as const;
  const handle = await new Promise<Buffer>((resolve, reject) =>
    sftp.open(path, flags[kind], (error, value) =>
      error === undefined || error === null ? resolve(value) : reject(error),
    ),
  );
  const bytes = Buffer.from(text);
  await new Promise<void>((resolve, reject) =>
    sftp.write(handle, bytes, 0, bytes.length, 0, (error) => (error ? reject(error) : resolve())),
  );
  return {
    close: () =>
      new Promise<void>((resolve, reject) => sftp.close(handle, (error) => (error ? reject(error) : resolve()))),
  };
}

function textOf(kind: Kind, index: number, number: number): string {
  const line = `writer-${index}-${number}\n`;
  return { append: line, patch: `P${index}${number}`.padEnd(8, '.'), whole: `User Email\n${line}` }[kind];
}

function apply(content: string, kind: Kind, text: string): string {
  return { append: content + text, patch: text + content.slice(text.length), whole: text }[kind];
}

/** The published file, which is the one that is queued. */
async function read(place: Workplace): Promise<string> {
  const space = await place.space(await place.org(org));
  const reader = await space.openRead(path);
  const bytes = await reader.read(0, 1 << 20);
  await reader.close();
  const queue = await listQueue(place.control.read, org);
  assert.deepEqual(
    queue.map((upload) => [upload.path, upload.size]),
    [[path, bytes.length]],
  );
  return bytes.toString();
}
