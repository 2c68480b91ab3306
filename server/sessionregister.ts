/** Shows the open sessions of this process in the control database, and ends those that an operator ends there. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { pid as ownPid } from 'node:process';
import type { Logger } from '../config/logger.js';
import type { Db } from '../db/connection.js';
import {
  listAskedEnds,
  type OpenSession,
  removeSessionServer,
  removeSessionServers,
  type SessionProgress,
  type SessionServer,
  type SessionServerKind,
  writeSessions,
} from '../db/control/sessions.js';

export type Progress = Omit<SessionProgress, 'bytesPerSecond'>;

export interface Registration extends Pick<OpenSession, 'org' | 'fingerprint' | 'address' | 'client'> {
  /** Its files and bytes now. */
  progress(): Progress;
  /** Called once, with the operator who ends it. */
  end(by: string): void;
}

export interface SessionRegister {
  /** Returns a function that removes it again. */
  add(session: Registration): () => void;
  stop(): Promise<void>;
}

interface RegisterDeps {
  control: Db;
  logger: Logger;
  now: () => number;
  kind: SessionServerKind;
  /** false: one of several processes of a server. */
  isAlone?: boolean;
  /** Names this process in the database; default: by chance. */
  process?: string;
  /** Between two reads of the ends that operators ask for. */
  everyMs?: number;
}

/** Reads between two writes, and between two renewals of the lease when nothing else is to be written. */
const roundsAWrite = 2;
const roundsALease = 6;
/** Sessions whose progress is written in one round: the others have their turn in later ones. */
const mostWritten = 200;

interface Registered {
  session: Registration;
  row: OpenSession;
  /** When `row` was made. */
  madeAt: number;
  /** Whether `row` differs from the database's. */
  isDirty: boolean;
  /** Whether the database may have it. */
  isWritten: boolean;
  isEnding: boolean;
}

const none: Progress = { filesReceived: 0, filesSent: 0, bytesReceived: 0, bytesSent: 0, openFiles: 0, openBytes: 0 };

/** The database has no row of a session that ends within a second: short sessions cost nothing. */
export function createSessionRegister({
  control,
  logger,
  now,
  kind,
  isAlone = true,
  process: id = newId(),
  everyMs = 500,
}: RegisterDeps): SessionRegister {
  const server: SessionServer = { id, name: `${hostname()}:${ownPid}`, kind };
  const open = new Map<string, Registered>();
  let ended: string[] = [];
  let isKnown = false;
  let isFailing = false;
  // SQLite has one server, so that the ones before it have died.
  let isFirst = kind === 'serve' && isAlone && control.dialect === 'sqlite';
  let rounds = 0;
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> | null = null;

  const endAsked = async (): Promise<void> => {
    for (const { id, by } of await listAskedEnds(control.read, server.id)) {
      const found = open.get(id);
      if (found === undefined || found.isEnding) continue;
      found.isEnding = true;
      found.session.end(by);
    }
  };

  const write = async (): Promise<void> => {
    if (isFirst) await removeSessionServers(control.write, kind);
    isFirst = false;
    const at = now();
    const changed = takeChanged(open, at);
    if (changed.length === 0 && ended.length === 0 && isKnown && rounds % roundsALease !== 0) return;
    const gone = ended;
    ended = [];
    for (const each of changed) each.isWritten = true;
    const rows = changed.map(({ row }) => row);
    const wasKnown = await writeSessions(control.write, server, { at, written: rows, ended: gone }).catch((error) => {
      ended = [...gone, ...ended];
      throw error;
    });
    for (const each of changed) each.isDirty = false;
    // After a long silence of this process another one has removed its sessions.
    if (isKnown && !wasKnown) for (const each of open.values()) each.isDirty = true;
    isKnown = true;
    // Not at the end of a round that only reads: a database that is read-only would be logged again and again.
    isFailing = false;
  };

  const round = async (): Promise<void> => {
    rounds++;
    if (open.size === 0) {
      if (isKnown) await removeSessionServer(control.write, server.id);
      isKnown = false;
      isFailing = false;
      ended = [];
      return;
    }
    if (isKnown) await endAsked();
    if (rounds % roundsAWrite === 0) await write();
  };

  const tick = (): void => {
    running ??= round()
      .then(() => {
        if (open.size > 0 || isKnown || timer === null) return;
        clearInterval(timer);
        timer = null;
      })
      .catch((error: Error) => {
        if (!isFailing)
          logger.error('could not show the open sessions to operators; will retry', { detail: error.message });
        isFailing = true;
      })
      .finally(() => {
        running = null;
      });
  };

  return {
    add(session) {
      const id = newId();
      const { org, fingerprint, address, client } = session;
      const row = { id, org, fingerprint, address, client, startedAt: now(), ...none, bytesPerSecond: 0 };
      const state = { isDirty: true, isWritten: false, isEnding: false };
      const registered: Registered = { session, row, madeAt: now(), ...state };
      open.set(id, registered);
      timer ??= setInterval(tick, everyMs).unref();
      return () => {
        if (open.delete(id) && registered.isWritten) ended.push(id);
      };
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await running;
      // A database that is away will find the lease ended.
      if (isKnown) await removeSessionServer(control.write, server.id).catch(() => {});
    },
  };
}

/** Sessions whose rows differ from the database's; those that had no turn for the longest time come first. */
function takeChanged(open: Map<string, Registered>, at: number): Registered[] {
  const changed: Registered[] = [];
  for (const [id, registered] of [...open]) {
    if (changed.length >= mostWritten) break;
    refresh(registered, at);
    if (registered.isDirty) changed.push(registered);
    open.delete(id);
    open.set(id, registered);
  }
  return changed;
}

function refresh(registered: Registered, at: number): void {
  const { session, row, madeAt } = registered;
  const progress = session.progress();
  const moved = progress.bytesReceived + progress.bytesSent - row.bytesReceived - row.bytesSent;
  const seconds = Math.max(at - madeAt, 1) / 1000;
  const bytesPerSecond = Math.max(0, Math.round(moved / seconds));
  registered.madeAt = at;
  const names = Object.keys(progress) as (keyof Progress)[];
  // Most sessions are idle, and each is looked at every second.
  if (bytesPerSecond === row.bytesPerSecond && names.every((name) => progress[name] === row[name])) return;
  registered.isDirty = true;
  registered.row = { ...row, ...progress, bytesPerSecond };
}

function newId(): string {
  return randomBytes(4).toString('hex');
}
