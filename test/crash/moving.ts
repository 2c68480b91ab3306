/** The built `dropslot migrate`, killed at a statement or at the change of its settings file (moving.mjs), and a client that sends files beside it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import SftpClient from 'ssh2-sftp-client';
import { openWorkplace } from '../../app/compose.js';
import { settingsSchema } from '../../config/settings.js';
import { addOrganization } from '../../operations/orgs.js';
import { allowKey, newKeyPair } from '../support/keys.js';
import { askDropslot, runDropslot, type Served, startServe } from '../support/program.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';

const entry = fileURLToPath(new URL('./moving.mjs', import.meta.url));
/** Generous: a loaded machine. */
export const timeoutMs = 900_000;

export interface Kill {
  name: string;
  /** Of a deed, as moving.mjs names it. */
  at: string;
  since?: string;
  count?: number;
  when: 'before' | 'after';
}

export interface Bench {
  data: string;
  privateKey: string;
  /** Contents of the files that got OK, by their paths; each creates one user. */
  sent: Map<string, string>;
  notes: string;
}

/** An installation whose organization may send files. @param settings as its settings file has them, which does not name the data folder */
export async function prepareBench(scope: Scope, settings: Record<string, string | number>): Promise<Bench> {
  const data = temporaryFolder(scope);
  // Each file brings new users: a run that the guard holds (rule G1) would import none.
  const given = { ...settings, maxCreations: '100000' };
  writeFileSync(join(data, 'dropslot.json'), JSON.stringify(given), { mode: 0o600 });
  const key = newKeyPair();
  const place = await openWorkplace(settingsSchema.parse({ ...given, data }), { create: true });
  try {
    await addOrganization(place, 'acme', { ownerEmail: 'jane@acme.test' }, true);
    await allowKey(place.control, 'acme', key);
  } finally {
    await place.close();
  }
  const notes = join(temporaryFolder(scope), 'notes');
  writeFileSync(notes, '');
  return { data, privateKey: key.private, sent: new Map(), notes };
}

/** `dropslot serve`. */
export function serve(scope: Scope, { data }: Bench, ...args: string[]): Promise<Served> {
  return startServe(scope, { data, args, startMs: timeoutMs });
}

/** Runs `migrate` until it kills itself there. */
export async function migrateAndDie({ data, notes }: Bench, args: readonly string[], kill: Kill): Promise<void> {
  const { name, at, since, count = 1, when } = kill;
  const env = { CRASH_AT: at, CRASH_COUNT: String(count), CRASH_WHEN: when, CRASH_NOTES: notes };
  const ran = await runDropslot(['migrate', ...args, '--yes'], {
    ...{ data, entry, timeoutMs },
    env: since === undefined ? env : { ...env, CRASH_SINCE: since },
  });
  const last = readFileSync(notes, 'utf8').trimEnd().split('\n').at(-1)!;
  assert.ok(ran.code === null && last.startsWith(`killed ${when} `), `${name}: ${ran.code} ${ran.stderr} (${last})`);
}

/** Runs `migrate` to its end. */
export async function migrate<Report>({ data, notes }: Bench, args: readonly string[]): Promise<Report> {
  const env = { CRASH_NOTES: notes };
  const ran = await runDropslot(['migrate', ...args, '--yes', '--json'], { data, env, entry, timeoutMs });
  assert.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout) as Report;
}

/** Rows that the statements of all runs since the last call have written into a table of the new database, and removed from it. */
export function takeWritten({ notes }: Bench): (deed: 'insert' | 'delete', table: string) => number[] {
  const lines = readFileSync(notes, 'utf8').split('\n');
  writeFileSync(notes, '');
  return (deed, table) =>
    lines
      .map((line) => line.split(' '))
      .filter(([, done, name]) => done === deed && name === table)
      .map(([, , , rows]) => Number(rows));
}

/** Sends files, which must get OK, each with one user. */
export async function sendFiles(bench: Bench, { port }: Pick<Served, 'port'>, names: readonly string[]): Promise<void> {
  await atClient(bench, port, async (client) => {
    for (const name of names) {
      const content = `User Email\n${name}@acme.test\n`;
      await client.put(Buffer.from(content), `/${name}.csv`);
      bench.sent.set(`/${name}.csv`, content);
    }
  });
}

export async function atClient<T>(
  { privateKey }: Bench,
  port: number,
  work: (client: SftpClient) => Promise<T>,
): Promise<T> {
  const client = new SftpClient();
  client.on('error', () => {});
  try {
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey, readyTimeout: timeoutMs });
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Imports all that waits, and finds each file's user once, made by one run. @param others users of other files */
export async function requireImported(bench: Bench, others: number): Promise<void> {
  const options = { data: bench.data, timeoutMs };
  const imported = await runDropslot(['import', 'acme'], options);
  assert.equal(imported.code, 0, imported.stderr);
  const users = await askDropslot<{ email: string }[]>(['users', 'list', 'acme'], options);
  const emails = new Set(users.map(({ email }) => email));
  const lost = [...bench.sent.keys()].filter((path) => !emails.has(`${path.slice(1, -4)}@acme.test`));
  assert.deepEqual(lost, [], 'files that got OK, and are lost');
  assert.equal(users.length, bench.sent.size + others + 1, 'and the owner');
  type Run = { summary: { users: { created: number } } | null };
  const runs = await askDropslot<Run[]>(['runs', 'list', 'acme'], options);
  const created = runs.reduce((sum, { summary }) => sum + (summary?.users.created ?? 0), 0);
  assert.equal(created, users.length - 1, 'no file was imported twice');
}

/** The audit trail is whole, and so is everything else. */
export async function requireWhole({ data }: Bench): Promise<void> {
  const proof = await runDropslot(['audit', 'verify'], { data, timeoutMs });
  assert.equal(proof.code, 0, proof.stdout);
  const doctor = await runDropslot(['doctor', '--deep', '--json'], { data, timeoutMs });
  assert.equal(JSON.parse(doctor.stdout).whole, true, doctor.stdout);
}
