/** Open sessions: each server process writes its own and renews its lease; commands read them, and ask for their end. */
import type { Queryable } from '../connection.js';

/** Files and bytes of a session since its login, and of the files that it transfers now. */
export interface SessionProgress {
  filesReceived: number;
  filesSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** Files in transfer, and their bytes up to now. */
  openFiles: number;
  openBytes: number;
  bytesPerSecond: number;
}

export interface OpenSession extends SessionProgress {
  id: string;
  org: string;
  /** null: an sshd did not say which key. */
  fingerprint: string | null;
  address: string | null;
  client: string;
  startedAt: number;
}

export interface ListedSession extends OpenSession {
  /** `host:pid` of its process. */
  server: string;
  /** An operator has asked for its end. */
  isEnding: boolean;
}

/** `serve`: the server, of which SQLite has one; `sshd`: a process that an sshd started for one session. */
export type SessionServerKind = 'serve' | 'sshd';

export interface SessionServer {
  id: string;
  name: string;
  kind: SessionServerKind;
}

/** For this long after its last renewal a process counts as alive. */
export const leaseMs = 10_000;
/** Rows of processes that have been silent for longer are removed: their clocks may differ a little. */
const forgottenMs = 60_000;

interface Changes {
  at: number;
  /** New ones, and those with progress. */
  written: readonly OpenSession[];
  ended: readonly string[];
}

/**
 * Renews the lease of a process and writes its sessions. Rows of dead processes are removed.
 * @returns false: the database did not have the process, nor any session that it had written before
 */
export function writeSessions(db: Queryable, server: SessionServer, { at, written, ended }: Changes): Promise<boolean> {
  return db.transaction(async (tx) => {
    const isKnown = (await tx('session_servers').where({ id: server.id }).update({ seen_at: at })) > 0;
    if (!isKnown) await tx('session_servers').insert({ ...server, seen_at: at });
    await tx('sessions')
      .whereIn(
        'server_id',
        tx('session_servers')
          .where('seen_at', '<', at - forgottenMs)
          .select('id'),
      )
      .delete();
    await tx('session_servers')
      .where('seen_at', '<', at - forgottenMs)
      .delete();
    for (const some of chunksOf(ended)) await tx('sessions').whereIn('id', some).delete();
    for (const some of chunksOf(written))
      await tx('sessions')
        .insert(some.map((session) => toRow(server.id, session)))
        .onConflict('id')
        .merge(Object.keys(progressColumns));
    return isKnown;
  });
}

/** Removes a process with its sessions. */
export async function removeSessionServer(db: Queryable, id: string): Promise<void> {
  await db('sessions').where({ server_id: id }).delete();
  await db('session_servers').where({ id }).delete();
}

/** Removes the processes of a kind: for the only one of its kind, which starts now. */
export async function removeSessionServers(db: Queryable, kind: SessionServerKind): Promise<void> {
  await db('sessions').whereIn('server_id', db('session_servers').where({ kind }).select('id')).delete();
  await db('session_servers').where({ kind }).delete();
}

/** The sessions of a process that an operator ends, with the operator. */
export async function listAskedEnds(db: Queryable, server: string): Promise<{ id: string; by: string }[]> {
  const rows = await db('sessions').where({ server_id: server }).whereNotNull('end_asked_by');
  return rows.map(({ id, end_asked_by: by }) => ({ id, by }));
}

export interface SessionFilter {
  now: number;
  org?: string | undefined;
  /** Ids of sessions. */
  ids?: readonly string[] | undefined;
  limit: number;
}

/** Sessions of living processes, oldest first. */
export async function listSessions(db: Queryable, { now, org, ids, limit }: SessionFilter): Promise<ListedSession[]> {
  const query = living(db, now).orderBy('started_at').orderBy('sessions.id').limit(limit);
  if (org !== undefined) query.where('org_id', org);
  if (ids !== undefined) query.whereIn('sessions.id', ids);
  const rows = await query.select('sessions.*', 'session_servers.name as server');
  return rows.map(fromRow);
}

/** The number of sessions of living processes, by organization. */
export async function countSessions(db: Queryable, now: number, org?: string): Promise<Map<string, number>> {
  const query = living(db, now).groupBy('org_id');
  if (org !== undefined) query.where('org_id', org);
  const rows: { org_id: string; sessions: number }[] = await query.select('org_id').count({ sessions: '*' });
  return new Map(rows.map(({ org_id, sessions }) => [org_id, Number(sessions)]));
}

/** Their processes end them within a second. */
export async function askEnds(db: Queryable, ids: readonly string[], by: string): Promise<void> {
  for (const some of chunksOf(ids)) await db('sessions').whereIn('id', some).update({ end_asked_by: by });
}

function living(db: Queryable, now: number) {
  return db('sessions')
    .join('session_servers', 'session_servers.id', 'sessions.server_id')
    .where('session_servers.seen_at', '>', now - leaseMs);
}

const progressColumns = {
  files_received: 'filesReceived',
  files_sent: 'filesSent',
  bytes_received: 'bytesReceived',
  bytes_sent: 'bytesSent',
  open_files: 'openFiles',
  open_bytes: 'openBytes',
  bytes_per_second: 'bytesPerSecond',
} as const satisfies Record<string, keyof SessionProgress>;

function toRow(server: string, session: OpenSession): Record<string, unknown> {
  const { id, org, fingerprint, address, client, startedAt } = session;
  const progress = Object.entries(progressColumns).map(([column, name]) => [column, session[name]]);
  const row = { id, server_id: server, org_id: org, fingerprint, address, client, started_at: startedAt };
  return { ...row, ...Object.fromEntries(progress) };
}

function fromRow(row: Record<string, string | number | null>): ListedSession {
  const progress = Object.entries(progressColumns).map(([column, name]) => [name, Number(row[column])]);
  return {
    id: row.id as string,
    org: row.org_id as string,
    fingerprint: row.fingerprint as string | null,
    address: row.address as string | null,
    client: row.client as string,
    startedAt: Number(row.started_at),
    server: row.server as string,
    isEnding: row.end_asked_by !== null,
    ...(Object.fromEntries(progress) as unknown as SessionProgress),
  };
}

/** SQLite takes a bounded number of values in one statement. */
function chunksOf<T>(items: readonly T[], most = 50): T[][] {
  return Array.from({ length: Math.ceil(items.length / most) }, (_, at) => items.slice(at * most, (at + 1) * most));
}
