/**
 * The importer beside the server: one process that opens runs, and as many that work on them as are needed. A process that a
 * file stops is replaced, and the run goes on without that file.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { mostImporters } from '../config/importers.js';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import { releaseLeases, strikeUpload } from '../db/control/quarantine.js';
import type { KnownSecrets } from '../keys/master/secrets.js';
import type { Count } from './counting.js';
import type { ProgramHooks } from './hookcalls.js';
import { beatMs, type ChildState, type Role } from './importermessages.js';
import { type Ending, type ImporterProcess, superviseProcess } from './importerprocess.js';

export interface PoolDeps {
  settings: Settings;
  /** Of directory.db. */
  directoryDriver: Settings['sqliteDriver'];
  secrets: KnownSecrets;
  control: Db;
  logger: Logger;
  now: () => number;
  /** Gets the counts of the processes, and their restarts. */
  onCount?: Count | undefined;
  /** The module to fork. */
  module?: URL;
  /** Of a program that embeds the server. */
  hooks?: ProgramHooks;
  onOutput?: (line: string) => void;
}

export interface ImporterPool {
  /** Asks all processes to stop at a safe point, and kills those that have not in `importGraceSeconds`. */
  stop(): Promise<void>;
}

/** The last importer of the pool takes files of at most so many bytes. */
const smallBytes = 4 * 1024 ** 2;
/** An importer beyond the first one ends when it had no work for so many heartbeats. */
const idleBeats = 300_000 / beatMs;

interface Member {
  process: ImporterProcess;
  isIdle: boolean;
  idleBeats: number;
}

export function startImporterPool(deps: PoolDeps): ImporterPool {
  const { settings, logger } = deps;
  const most = mostImporters(settings);
  const shared = { ...deps, module: deps.module ?? new URL('./importerentry.js', import.meta.url) };
  const members: Member[] = [];
  const stopped: Promise<void>[] = [];
  const graceMs = settings.importGraceSeconds * 1000;
  let isStopping = false;

  const grow = () => {
    if (isStopping || members.length >= most || members.some(({ isIdle }) => isIdle)) return;
    const mostBytes = members.length > 0 && members.length === most - 1 ? smallBytes : null;
    const member: Member = { process: null as never, isIdle: true, idleBeats: 0 };
    const onBeat = ({ work }: ChildState) => {
      member.isIdle = work === null;
      member.idleBeats = member.isIdle ? member.idleBeats + 1 : 0;
      if (!member.isIdle) grow();
      else if (member.idleBeats > idleBeats && members.length > 1 && members.at(-1) === member) shrink();
    };
    const role = (): Role => ({ name: 'importer', owner: newOwner(), mostBytes });
    members.push(member);
    member.process = superviseProcess({
      ...shared,
      role,
      onBeat,
      onEnd: (ended, ending) => settle(deps, ended, ending),
    });
  };
  const shrink = () => {
    stopped.push(members.pop()!.process.stop(graceMs));
  };
  const onOpened = () => {
    for (const { process } of members) process.nudge();
  };
  const scheduler = superviseProcess({ ...shared, role: () => ({ name: 'scheduler' }), onOpened });
  // Of other nodes, and of commands.
  const stopListening = deps.control.onRun?.(onOpened);
  grow();
  return {
    stop: async () => {
      isStopping = true;
      stopListening?.();
      logger.info('the importers stop');
      await Promise.all([scheduler, ...members.map(({ process }) => process)].map((process) => process.stop(graceMs)));
      await Promise.all(stopped);
    },
  };
}

/** Unique to each process. */
function newOwner(): string {
  return `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
}

/** Counts a strike of the file that ended an importer, and gives the importer's runs to the others. */
async function settle({ control, logger, now }: PoolDeps, role: Role, { verdict, wasAsked }: Ending): Promise<void> {
  if (role.name === 'scheduler') return;
  const upload = verdict?.upload ?? null;
  if (verdict !== null && upload !== null) {
    const { cause } = verdict;
    if (await strikeUpload(control, upload, cause, now()))
      logger.error('quarantined an upload that an importer could not read within its limits', { upload, cause });
    else logger.warn('an upload stopped an importer; will try it once more', { upload, cause });
  }
  await releaseLeases(control, role.owner, upload === null && !wasAsked);
}
