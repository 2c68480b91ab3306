/** The data folders, the databases and the settings of a round's nodes, as a first node and configuration management make them. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { pathsOf } from '../../config/paths.js';
import { type Settings, settingsSchema } from '../../config/settings.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { newKeyPair } from '../support/keys.js';
import { askDropslot } from '../support/program.js';
import { type Swift, variablesOf } from '../support/swift.js';
import { type Scope, temporaryFolder } from '../support/temporary.js';
import type { Build } from './build.js';

export interface Installation {
  /** Of each node; without a store they share one. */
  folders: string[];
  /** Settings of the store, as variables. */
  env: Record<string, string>;
  /** Of a process of the test, with a URL that it is given. */
  settingsAt(database: string): Settings;
  /** The private login key of each organization. */
  keys: ReadonlyMap<string, string>;
}

export interface Wanted {
  name: string;
  /** Of its database. */
  url: string;
  orgs: readonly string[];
  nodes: number;
  /** Makes the tables. */
  build: Build;
  /** null: the nodes share a data folder. */
  store: Swift | null;
  /** Of all organizations; each has one of its own besides, below this URL. */
  hook: { url: string; types: string };
}

/** Minutes: a machine with much other load has taken 25 for a round. */
const slots = 60;

export async function install(scope: Scope, wanted: Wanted): Promise<Installation> {
  const { name, url, orgs, nodes, build, store, hook } = wanted;
  const named = store?.settings(name) ?? {};
  const env = variablesOf(named);
  const settingsAt = (database: string) => settingsSchema.parse({ data, database, databasePool: 3, ...named });
  const data = temporaryFolder(scope);
  await loadOrCreateHostKeys(pathsOf(settingsAt(url)).hostKeys);
  const options = {
    data,
    env: { ...env, DROPSLOT_DATABASE: url },
    ...(build.entry !== undefined && { entry: build.entry }),
  };
  const ask = (...args: string[]) => askDropslot(args, options);
  const pairs = new Map(orgs.map((org) => [org, newKeyPair()]));
  const add = (org: string) => ask('orgs', 'add', org, '--owner', `jane@${org}.test`, '--time-zone', 'UTC', '--enable');
  const [first, ...others] = orgs;
  // The first command makes the tables.
  await add(first!);
  await Promise.all(others.map(add));
  const hookOptions = ['--types', hook.types, '--allow-http', '--allow-private'];
  await Promise.all([
    ask('webhooks', 'add', '--url', hook.url, ...hookOptions),
    ...orgs.map(async (org) => {
      const { algorithm, publicKey } = pairs.get(org)!.public;
      const file = join(data, `${org}.pub`);
      writeFileSync(file, `${algorithm} ${publicKey} test\n`);
      await ask('keys', 'add', org, file);
      await ask('webhooks', 'add', '--org', org, '--url', `${hook.url}/${org}`, ...hookOptions);
    }),
  ]);
  await beginSlots(url);
  const folders = [data];
  while (folders.length < nodes) folders.push(store === null ? data : copyKeys(scope, data));
  const keys = new Map([...pairs].map(([org, pair]) => [org, pair.private]));
  return { folders, env, settingsAt, keys };
}

/** With a store a node needs no other file of the first one. */
function copyKeys(scope: Scope, from: string): string {
  const data = temporaryFolder(scope);
  mkdirSync(join(data, 'keys'), { mode: 0o700 });
  for (const name of ['master.key', 'host'])
    cpSync(join(from, 'keys', name), join(data, 'keys', name), { recursive: true });
  return data;
}

/** A slot begins with each minute of the round. */
async function beginSlots(url: string): Promise<void> {
  const times = Array.from({ length: slots }, (_, n) => new Date(Date.now() + n * 60_000).toISOString().slice(11, 16));
  await query(url, 'UPDATE dropslot_control.orgs SET slot = $1', [times.sort().join()]);
}

/** Without a look at the schema, which a process of the test would bring to that of this version. */
export async function query<Row extends pg.QueryResultRow>(url: string, sql: string, values: unknown[] = []) {
  const client = new pg.Client(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end();
  }
}
