/** A client's seat at the table: its organization on the built server, its keys, its folder, and what became of its files. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { listAudit } from '../../db/control/audit.js';
import { listQueue, type UploadRow } from '../../db/control/uploads.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { parsePublicKeys } from '../../keys/login/publickeys.js';
import { addKeys, setKey } from '../../operations/loginkeys.js';
import { addOrganization } from '../../operations/orgs.js';
import type { Workplace } from '../../operations/workplace.js';
import type { Entry } from '../../storage/types.js';
import type { Ran } from '../support/peers.js';
import { type LogLine, startServe } from '../support/program.js';
import { openScope, type Scope, temporaryFolder } from '../support/temporary.js';
import type { KeyType, Running } from './client.js';

/** Of every file that a client sends: a time with seconds, before the run. */
export const fileTime = Date.UTC(2026, 0, 31, 8, 9, 11);

/** No step of the matrix takes a client longer than this. */
const mostMs = 240_000;

export interface Table {
  /** The organization of one client, with a key of each type. */
  seat(org: string): Promise<Seat>;
}

export interface Seat {
  org: string;
  host: string;
  port: number;
  /** SHA256:… of the server's host keys. */
  hostKeys: readonly string[];
  /** The client's folder, which is its home, too. */
  folder: string;
  /** The private key in OpenSSH's format; the public one lies beside it as `.pub`. */
  keyFile: string;
  keyType: KeyType;
  /** A port that takes what the other one does not: old algorithms, and SHA-1 where an operator said so. */
  compatiblePort: number;
  /** The operator's word that this key may sign with SHA-1. */
  allowSha1(): Promise<void>;
  /** At the same table with another key, or through another port. */
  move(change: { key?: KeyType; port?: number }): Seat;
  /** Puts a file into the client's folder; its path. */
  file(name: string, content: string | Buffer): string;
  fetched(name: string): Buffer;
  /** Starts a program in the client's folder, with nothing of this user's settings. */
  launch(program: string, args: readonly string[], input?: string): Running;
  queued(): Promise<UploadRow[]>;
  /** Fails unless the path is queued once, with this content, and every older version of it is superseded. */
  expectQueued(path: string, content: Buffer): Promise<void>;
  /** How each upload of a path ended, oldest first. */
  outcomes(path: string): Promise<unknown[]>;
  entry(path: string): Promise<Entry>;
  names(folder: string): Promise<string[]>;
  log(): readonly LogLine[];
}

export async function layTable(scope: Scope): Promise<Table> {
  const folder = openScope();
  // New keys in the middle of every large transfer, asked for by the server; by clients they are in OpenSSH's own cases.
  const env = { DROPSLOT_LOG_LEVEL: 'debug', DROPSLOT_REKEY_BYTES: String(48 * 1024 * 1024) };
  const data = temporaryFolder(folder);
  const args = ['--listen', '127.0.0.1:0', '--listen', '127.0.0.1:0/compatible'];
  const served = await startServe(scope, { data, env, args });
  const portOf = async (policy: string) =>
    Number((await served.waitForLog((line) => line.message === 'listening' && line.policy === policy)).port);
  const place = await openWorkplace(settingsSchema.parse({ data }));
  scope.after(() => place.close());
  scope.after(() => folder.close());
  const { keys } = await loadOrCreateHostKeys(place.paths.hostKeys);
  const [port, compatiblePort] = [await portOf('modern'), await portOf('compatible')];
  const server = { host: '127.0.0.1', port, compatiblePort, hostKeys: keys.map(({ fingerprint }) => fingerprint) };
  const seat = async (org: string): Promise<Seat> => {
    await addOrganization(place, org, { ownerEmail: `jane@${org}.test`, slot: slotFarFrom(Date.now()) }, true);
    const folder = temporaryFolder(scope);
    mkdirSync(join(folder, '.ssh'), { mode: 0o700 });
    for (const type of ['ed25519', 'ecdsa', 'rsa'] as const) {
      const file = join(folder, `key_${type}`);
      // Not ssh2's: half of its ECDSA keys lack a zero byte that PuTTY insists on. paramiko wants a comment.
      execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', org, '-f', file]);
      await addKeys(place, org, readFileSync(`${file}.pub`, 'utf8'), { label: type });
    }
    return sitDown(scope, place, { ...server, org, folder, keyType: 'ed25519', log: () => served.log });
  };
  return { seat };
}

/** What was sent must stay queued for as long as the run takes. */
function slotFarFrom(now: number): string {
  return new Date(now + 12 * 3_600_000).toISOString().slice(11, 16);
}

type Given = Pick<Seat, 'host' | 'port' | 'compatiblePort' | 'hostKeys' | 'org' | 'folder' | 'keyType' | 'log'>;

function sitDown(scope: Scope, place: Workplace, given: Given): Seat {
  const { org, folder } = given;
  const spaceOf = async () => place.space(await place.org(org));
  return {
    ...given,
    keyFile: join(folder, `key_${given.keyType}`),
    allowSha1: async () => {
      const [key] = parsePublicKeys(readFileSync(join(folder, `key_${given.keyType}.pub`), 'utf8'));
      await setKey(place, org, key!.fingerprint, { allowsSha1: true });
    },
    move: ({ key, port }) =>
      sitDown(scope, place, { ...given, keyType: key ?? given.keyType, port: port ?? given.port }),
    file: (name, content) => {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      utimesSync(path, fileTime / 1000, fileTime / 1000);
      return path;
    },
    fetched: (name) => readFileSync(join(folder, name)),
    launch: (program, args, input = '') => launch(scope, folder, program, args, input),
    queued: () => listQueue(place.control.read, org),
    expectQueued: async (path, content) => {
      const rows = await place.control
        .read('uploads')
        .join('blobs', 'blobs.id', 'uploads.blob_id')
        .where({ 'uploads.org_id': org, path })
        .orderBy('uploads.id', 'desc')
        .select('state', 'sha256');
      assert.deepEqual(rows[0], { state: 'queued', sha256: createHash('sha256').update(content).digest('hex') });
      const older = rows.slice(1).map(({ state }) => state);
      assert.ok(
        older.every((state) => state === 'superseded' || state === 'withdrawn'),
        `older versions of ${path} are ${older}`,
      );
    },
    outcomes: async (path) =>
      (await listAudit(place.control.read, org))
        .filter(({ subject, detail }) => subject === path && detail.outcome !== undefined)
        .map(({ detail }) => detail.outcome),
    entry: async (path) => (await spaceOf()).stat(path),
    names: async (path) => (await (await spaceOf()).list(path, null, 10_000)).map(({ name }) => name),
  };
}

function launch(scope: Scope, cwd: string, program: string, args: readonly string[], input: string): Running {
  // A group of its own: what it starts itself (sftp its ssh, a shell its commands) is killed with it.
  const child = spawn(program, args, {
    cwd,
    detached: true,
    env: { PATH: process.env.PATH ?? '', HOME: cwd, LC_ALL: 'C.UTF-8', TZ: 'UTC' },
  });
  const kill = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  };
  scope.after(kill);
  const gather = async (): Promise<Ran> => {
    const timer = setTimeout(kill, mostMs);
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
      });
    child.stdin.on('error', () => {}).end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(timer);
    return { code, ...texts };
  };
  return { kill, ended: gather() };
}
