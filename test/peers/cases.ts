/** What every client must be able to do, once for all of them; what became of it is looked up on the server's side. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ran } from '../support/peers.js';
import { until } from '../support/session.js';
import type { Scope } from '../support/temporary.js';
import type { Ability, Client, Step } from './client.js';
import { openGate } from './gate.js';
import { fileTime, type Seat } from './seat.js';

/** One client at its seat. */
export interface Trial {
  client: Client;
  seat: Seat;
  scope: Scope;
  large: LargeFile;
}

/** The same for all clients, which only read it. */
export interface LargeFile {
  path: string;
  content: Buffer;
}

export interface Case {
  /** The head of its column in the documentation. */
  name: string;
  about: string;
  needs: readonly Ability[];
  run(trial: Trial): Promise<void>;
}

/** What a sealed file is made of: its last chunk is full when it holds a multiple of this. */
const chunkBytes = 65_536;
const interruptedBytes = 6 * 1024 * 1024;
const longMs = 120_000;

export const cases: readonly Case[] = [
  {
    name: 'small',
    about: 'a file of a few kilobytes',
    needs: ['put'],
    run: (trial) => upload(trial, 'small.csv', randomBytes(2_345)),
  },
  {
    name: 'empty',
    about: 'a file without any byte',
    needs: ['put'],
    run: (trial) => upload(trial, 'empty.csv', Buffer.alloc(0)),
  },
  {
    name: 'whole chunks',
    about: `files of ${chunkBytes} bytes and of four times as many: each chunk of the encrypted file is full`,
    needs: ['put'],
    async run(trial) {
      await upload(trial, 'chunk.csv', randomBytes(chunkBytes));
      await upload(trial, 'chunks.csv', randomBytes(4 * chunkBytes));
    },
  },
  {
    name: '100 MB',
    about: 'a file of 100 MB',
    needs: ['put'],
    async run(trial) {
      succeed(await perform(trial, { do: 'put', from: trial.large.path, to: '/large.csv' }));
      await trial.seat.expectQueued('/large.csv', trial.large.content);
    },
  },
  {
    name: '100 MB back',
    about: 'the file of 100 MB, downloaded again: it has the same bytes',
    needs: ['put', 'get'],
    async run(trial) {
      const to = join(trial.seat.folder, 'large.csv');
      succeed(await perform(trial, { do: 'get', from: '/large.csv', to }));
      assert.equal(await hashFile(to), hash(trial.large.content));
    },
  },
  {
    name: 'names',
    about: 'a name with spaces, non-ASCII letters and a suffix in capitals, uploaded and downloaded',
    needs: ['put', 'get'],
    async run(trial) {
      const name = 'Zürich 2026 – 人事.CSV';
      const content = randomBytes(2_345);
      await upload(trial, name, content);
      succeed(await perform(trial, { do: 'get', from: `/${name}`, to: join(trial.seat.folder, 'named back.csv') }));
      assert.deepEqual(trial.seat.fetched('named back.csv'), content);
    },
  },
  {
    name: 'overwritten',
    about: 'a file, then a shorter one with the same name: only the second one is queued',
    needs: ['put'],
    async run(trial) {
      await upload(trial, 'overwritten.csv', randomBytes(200_000));
      await upload(trial, 'overwritten.csv', randomBytes(100_000));
    },
  },
  {
    name: 'times',
    about: 'the server keeps the modification time of the file',
    needs: ['put', 'times'],
    async run(trial) {
      await upload(trial, 'times.csv', randomBytes(2_345));
      assert.equal((await trial.seat.entry('/times.csv')).mtimeMs, fileTime);
    },
  },
  {
    name: 'temporary name',
    about: 'uploaded as `….csv.part`, which is not queued; the rename queues it',
    needs: ['put', 'rename'],
    run: (trial) => renameInto(trial, 'renamed.csv', randomBytes(150_000)),
  },
  {
    name: 'replaced by rename',
    about:
      'uploaded under a temporary name and renamed to the name of an existing file: the new file replaces it in the queue',
    needs: ['put', 'rename', 'replace'],
    async run(trial) {
      await upload(trial, 'replaced.csv', randomBytes(2_345));
      await renameInto(trial, 'replaced.csv', randomBytes(150_000));
    },
  },
  {
    name: 'cut off',
    about: 'the client is killed during an upload: nothing is queued; a second upload is complete',
    needs: ['put'],
    async run(trial) {
      const content = randomBytes(interruptedBytes);
      await cutOff(trial, 'cut.csv', content);
      await upload(trial, 'cut.csv', content);
    },
  },
  {
    name: 'resumed',
    about: 'the client is killed during an upload and resumes it: it sends only the rest, and the file is complete',
    needs: ['put', 'resume'],
    async run(trial) {
      const content = randomBytes(interruptedBytes);
      const from = await cutOff(trial, 'resumed.csv', content);
      const gate = await openGate(trial.scope, trial.seat, Number.POSITIVE_INFINITY);
      const seat = trial.seat.move({ port: gate.port });
      succeed(await perform({ ...trial, seat }, { do: 'resume', from, to: '/resumed.csv' }));
      await trial.seat.expectQueued('/resumed.csv', content);
      assert.ok(gate.sentBytes() < 0.75 * content.length, `${gate.sentBytes()} bytes were sent`);
    },
  },
  {
    name: 'folders',
    about: 'the client creates folders and uploads files into them',
    needs: ['putTree'],
    async run(trial) {
      const files = { 'a.csv': 10, 'Team list/b.csv': 70_000, 'Team list/ältere/c.CSV': 0 };
      const contents = Object.entries(files).map(([name, bytes]) => [name, randomBytes(bytes)] as const);
      for (const [name, content] of contents) trial.seat.file(`drop/${name}`, content);
      succeed(await perform(trial, { do: 'putTree', from: join(trial.seat.folder, 'drop'), to: '/drop' }));
      for (const [name, content] of contents) await trial.seat.expectQueued(`/drop/${name}`, content);
    },
  },
  {
    name: 'listed',
    about: 'the list of a folder has every name',
    needs: ['list'],
    async run(trial) {
      const { stdout } = succeed(await perform(trial, { do: 'list', folder: '/' }));
      for (const name of await trial.seat.names('/')) assert.ok(stdout.includes(name), `${name} in:\n${stdout}`);
    },
  },
  {
    name: 'refused',
    about: 'an upload to `/archive` fails with a message (below)',
    needs: ['put'],
    async run(trial) {
      assert.match(await refusal(trial), /permission|denied|read-only/i);
      assert.ok(!(await trial.seat.names('/archive')).includes('users.csv'));
    },
  },
];

/** What the client's user reads when an upload to /archive fails; throws when it does not fail. */
export async function refusal(trial: Trial): Promise<string> {
  const from = trial.seat.file('users.csv', 'User Email\n');
  const ran = await perform(trial, { do: 'put', from, to: '/archive/users.csv' });
  assert.notEqual(ran.code, 0, `${ran.stdout}${ran.stderr}`);
  return complaintOf(ran, trial.seat.folder);
}

/** The line that tells why, without what differs from run to run. */
function complaintOf({ stdout, stderr }: Ran, folder: string): string {
  const lines = `${stdout}\n${stderr}`.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const said = lines.findLast((line) => /permission|denied|read-only/i.test(line)) ?? lines.at(-1) ?? '';
  return said
    .trim()
    .replaceAll(`${folder}/`, '')
    .replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, '');
}

export function succeed(ran: Ran): Ran {
  assert.equal(ran.code, 0, `${ran.stdout}${ran.stderr}`);
  return ran;
}

export function perform({ client, seat }: Pick<Trial, 'client' | 'seat'>, ...steps: Step[]): Promise<Ran> {
  return client.start(seat, steps).ended;
}

async function upload(trial: Trial, name: string, content: Buffer): Promise<void> {
  const from = trial.seat.file(name, content);
  succeed(await perform(trial, { do: 'put', from, to: `/${name}` }));
  await trial.seat.expectQueued(`/${name}`, content);
}

async function renameInto(trial: Trial, name: string, content: Buffer): Promise<void> {
  const { seat } = trial;
  const from = seat.file(name, content);
  const temporary = `/${name}.part`;
  succeed(await perform(trial, { do: 'put', from, to: temporary }));
  const paths = (await seat.queued()).map(({ path }) => path);
  assert.ok(!paths.includes(temporary), 'a temporary name is not queued');
  succeed(await perform(trial, { do: 'rename', from: temporary, to: `/${name}` }));
  await seat.expectQueued(`/${name}`, content);
  assert.ok(!(await seat.names('/')).includes(`${name}.part`));
}

/** Kills the client when the server has half of the file; the file's path. */
async function cutOff(trial: Trial, name: string, content: Buffer): Promise<string> {
  const { client, seat, scope } = trial;
  const from = seat.file(name, content);
  const gate = await openGate(scope, seat, content.length / 2);
  const { kill, ended } = client.start(seat.move({ port: gate.port }), [{ do: 'put', from, to: `/${name}` }]);
  const early = ended.then((ran) => assert.fail(`it ended by itself: ${ran.stdout}${ran.stderr}`));
  await Promise.race([gate.held, early]);
  early.catch(() => {});
  kill();
  await ended;
  const partial = `/${name}${client.suffix ?? ''}`;
  await until(async () => (await seat.outcomes(partial)).length > 0, 'the end of the upload', longMs);
  assert.deepEqual(await seat.outcomes(partial), ['partial']);
  const paths = (await seat.queued()).map(({ path }) => path);
  assert.ok(!paths.some((path) => path.startsWith(`/${name}`)), 'what was cut off is not queued');
  return from;
}

function hash(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

async function hashFile(path: string): Promise<string> {
  const digest = createHash('sha256');
  for await (const chunk of createReadStream(path)) digest.update(chunk);
  return digest.digest('hex');
}

export function makeLargeFile(folder: string): LargeFile {
  const file = { path: join(folder, 'large.csv'), content: randomBytes(100_000_000) };
  writeFileSync(file.path, file.content);
  return file;
}
