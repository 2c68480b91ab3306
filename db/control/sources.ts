/** The other doors of an organization: SFTP servers that its files are fetched from, and watched folders. */
import type { Knex } from 'knex';
import type { Queryable } from '../connection.js';

export type AfterFetch = { kind: 'keep' } | { kind: 'delete' } | { kind: 'move'; to: string };

export interface SftpConfig {
  kind: 'sftp';
  host: string;
  port: number;
  user: string;
  auth: 'key' | 'password';
  /** The line of authorized_keys that the customer was given; null: a password. */
  publicKey: string | null;
  /** SHA256:…; none: the host key has not been confirmed. */
  hostKeys: readonly string[];
  path: string;
  /** None: every name that the organization imports. */
  patterns: readonly string[];
  after: AfterFetch;
  /** before-slot, or `every:` and minutes. */
  when: string;
  /** The folder of the organization's tree that the files enter. */
  into: string;
  allowPrivate: boolean;
  legacyAlgorithms: boolean;
}

export interface FolderConfig {
  kind: 'folder';
  /** Without links. */
  dir: string;
  patterns: readonly string[];
  after: AfterFetch;
  into: string;
  /** Look at it regularly, and ask the system for no notifications. */
  poll: boolean;
  /** A file enters when the file with this ending beside it appears; null: when it stopped growing. */
  marker: string | null;
  /** Whether it was on another file system than the root when it was added. */
  isMount: boolean;
}

export type SourceConfig = SftpConfig | FolderConfig;
export type SourceKind = SourceConfig['kind'];

/** As commands, receipts, alarms and the audit trail call it. */
export function wordOf(kind: SourceKind): 'source' | 'folder' {
  return kind === 'sftp' ? 'source' : 'folder';
}

/** Where its files are, for people: `hr@sftp.acme.example:2222 /out`, or the folder. */
export function placeOf({ config }: Pick<Source, 'config'>): string {
  if (config.kind === 'folder') return config.dir;
  const { host, port, user, path } = config;
  return `${user}@${host}${port === 22 ? '' : `:${port}`} ${path}`;
}

/** `unconfirmed`: the host key is not known yet. `host_key_changed`: the server shows another one than the confirmed one. */
export type SourceState = 'active' | 'disabled' | 'unconfirmed' | 'host_key_changed';

/** The last round. */
export interface RoundResult {
  /** Names that match. */
  listed: number;
  taken: number;
  bytes: number;
  /** Names with the content that was taken before. */
  unchanged: number;
  /** Files that may still be growing, or that are open. */
  waiting: number;
  /** Rounds in a row with such files; undefined: none is recorded. */
  waitingRounds?: number;
  /** Sentences about single files; bounded. */
  problems: readonly string[];
}

export interface Source<Config extends SourceConfig = SourceConfig> {
  id: number;
  org: string;
  config: Config;
  /** Sealed to the master key. */
  secret: string | null;
  state: SourceState;
  /** Rounds in a row that failed. */
  failures: number;
  failure: string | null;
  failureCode: string | null;
  failedAt: number | null;
  result: RoundResult | null;
  lastAt: number | null;
  lastOkAt: number | null;
  nextAt: number;
  leaseOwner: string | null;
  leaseUntil: number;
  createdAt: number;
}

export type NewSource = Pick<Source, 'org' | 'config' | 'secret' | 'state' | 'nextAt' | 'createdAt'>;

export async function insertSource(db: Queryable, source: NewSource): Promise<number> {
  const [row] = await db('sources')
    .insert({
      org_id: source.org,
      kind: source.config.kind,
      config: JSON.stringify(source.config),
      secret: source.secret,
      state: source.state,
      next_at: source.nextAt,
      created_at: source.createdAt,
    })
    .returning<{ id: number }[]>('id');
  return row!.id;
}

/** null: none. */
export async function findSource(db: Queryable, id: number): Promise<Source | null> {
  const row = await db('sources').where({ id }).first();
  return row === undefined ? null : fromRow(row);
}

/** In the order of their ids. */
export async function listSources(
  db: Queryable,
  where: { org?: string | readonly string[]; kind?: SourceKind } = {},
): Promise<Source[]> {
  const { org, kind } = where;
  const rows = db('sources').orderBy('id');
  if (org !== undefined) rows.whereIn('org_id', [org].flat());
  if (kind !== undefined) rows.where({ kind });
  return (await rows).map(fromRow);
}

export type SourceChange = Partial<
  Pick<
    Source,
    | 'config'
    | 'secret'
    | 'state'
    | 'failures'
    | 'failure'
    | 'failureCode'
    | 'failedAt'
    | 'result'
    | 'lastAt'
    | 'lastOkAt'
    | 'nextAt'
  >
>;

const columns: Record<keyof SourceChange, string> = {
  config: 'config',
  secret: 'secret',
  state: 'state',
  failures: 'failures',
  failure: 'failure',
  failureCode: 'failure_code',
  failedAt: 'failed_at',
  result: 'result',
  lastAt: 'last_at',
  lastOkAt: 'last_ok_at',
  nextAt: 'next_at',
};

export async function updateSource(db: Queryable, id: number, change: SourceChange): Promise<void> {
  await db('sources').where({ id }).update(toRow(change));
}

/** Unless an operator has changed, disabled or removed it since it was read. @returns whether it was updated */
export async function updateUnchangedSource(
  db: Queryable,
  { id, config, secret, state }: Source,
  change: SourceChange,
): Promise<boolean> {
  const before = { id, config: JSON.stringify(config), secret, state };
  return (await db('sources').where(before).update(toRow(change))) > 0;
}

function toRow(change: SourceChange): Record<string, unknown> {
  const isJson = (name: string) => name === 'config' || name === 'result';
  return Object.fromEntries(
    Object.entries(change).map(([name, value]) => [
      columns[name as keyof SourceChange],
      isJson(name) && value !== null ? JSON.stringify(value) : value,
    ]),
  );
}

/** Unless it was given another one meanwhile. */
export async function replaceSourceSecret(db: Queryable, id: number, before: string, after: string): Promise<void> {
  await db('sources').where({ id, secret: before }).update({ secret: after });
}

export async function deleteSource(db: Queryable, id: number): Promise<void> {
  await db('source_files').where({ source_id: id }).delete();
  await db('sources').where({ id }).delete();
}

/** No lease is longer, and no round is farther away: a later time was written under a clock that was ahead. */
const longestLeaseMs = 20 * 60_000;
const longestWaitMs = 32 * 86_400_000;
/** The clocks of two nodes differ by less. */
const skewMs = 10 * 60_000;

/** Ids of active sources of enabled organizations whose time has come, the one that waits longest first. */
export async function listDueSources(db: Queryable, now: number, most: number): Promise<number[]> {
  return db('sources')
    .join('orgs', 'orgs.id', 'sources.org_id')
    .where({ 'sources.state': 'active', 'orgs.enabled': 1 })
    .where((due) =>
      due
        .where('next_at', '<=', now)
        .orWhere('next_at', '>', now + longestWaitMs)
        // The clock was ahead at the last round, or where there was none yet, when the source was added.
        .orWhereRaw('coalesce(last_at, sources.created_at) > ?', [now + skewMs]),
    )
    .where((lease) => isFree(lease, now))
    .orderBy('next_at')
    .limit(most)
    .pluck('sources.id');
}

/** Of several nodes one gets it. @returns whether this one has it, until `until` */
export async function claimSource(
  db: Queryable,
  id: number,
  owner: string,
  now: number,
  until: number,
): Promise<boolean> {
  const lease = { lease_owner: owner, lease_until: until };
  const free = db('sources')
    .where({ id })
    .where((held) => isFree(held, now));
  return (await free.update(lease)) > 0;
}

function isFree(query: Knex.QueryBuilder, now: number): void {
  query.where('lease_until', '<', now).orWhere('lease_until', '>', now + longestLeaseMs);
}

/** Renews it. @returns false: it has expired, and another node may have the source */
export async function holdSource(db: Queryable, id: number, owner: string, until: number): Promise<boolean> {
  return (await db('sources').where({ id, lease_owner: owner }).update({ lease_until: until })) > 0;
}

export async function releaseSource(db: Queryable, id: number, owner: string): Promise<void> {
  await db('sources').where({ id, lease_owner: owner }).update({ lease_owner: null, lease_until: 0 });
}

// biome-ignore lint/suspicious/noExplicitAny: a row of the table
function fromRow(row: any): Source {
  return {
    id: row.id,
    org: row.org_id,
    config: JSON.parse(row.config),
    secret: row.secret,
    state: row.state,
    failures: row.failures,
    failure: row.failure,
    failureCode: row.failure_code,
    failedAt: row.failed_at,
    result: row.result === null ? null : JSON.parse(row.result),
    lastAt: row.last_at,
    lastOkAt: row.last_ok_at,
    nextAt: row.next_at,
    leaseOwner: row.lease_owner,
    leaseUntil: row.lease_until,
    createdAt: row.created_at,
  };
}
