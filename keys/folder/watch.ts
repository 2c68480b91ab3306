/** Watches the folder of login keys, and applies every change as soon as its file is complete. */
import { stat } from 'node:fs/promises';
import { type FSWatcher, watch } from 'chokidar';
import type { Logger } from '../../config/logger.js';
import type { Db } from '../../db/connection.js';
import { listOrgs } from '../../db/control/orgs.js';
import { applyFolder } from './apply.js';
import { type FolderAction, nameOf, type SeenKeys } from './plan.js';
import { type FolderReading, readKeyFolder } from './read.js';

export interface FolderWatchDeps {
  root: string;
  control: Db;
  logger: Logger;
  now: () => number;
  /** How often it is read without an event: network file systems send none. */
  everyMs?: number;
  /** How long a file must be unchanged before it is read. */
  restMs?: number;
}

export interface FolderWatch {
  stop(): Promise<void>;
}

/** Several events of one change become one scan. */
const gatherMs = 100;
/** Clocks of file systems are coarse. */
const afterRestMs = 50;

/** Resolves when the present files were applied. */
export async function watchKeyFolder(deps: FolderWatchDeps): Promise<FolderWatch> {
  const watcher = new KeyFolderWatch(deps);
  await watcher.scan();
  return watcher;
}

class KeyFolderWatch implements FolderWatch {
  #seen: SeenKeys = null;
  #inodes: FolderReading['inodes'] = new Map();
  #logged = new Map<string, string>();
  #files: FSWatcher | null = null;
  #watched: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #scanning: Promise<void> | null = null;
  #isStopped = false;
  readonly #deps: FolderWatchDeps;

  constructor(deps: FolderWatchDeps) {
    this.#deps = deps;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#scanning;
    await this.#files?.close();
  }

  /** One scan at a time; the next one sees the changes made during it. */
  scan(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#scanning ??= this.#scanOnce().finally(() => {
      this.#scanning = null;
    });
    return this.#scanning;
  }

  async #scanOnce(): Promise<void> {
    const { everyMs = 10_000, restMs, control, now, root, logger } = this.#deps;
    this.#dueAt = Number.POSITIVE_INFINITY;
    let nextMs = everyMs;
    try {
      await this.#follow();
      const zones = new Map((await listOrgs(control.read)).map((org) => [org.id, org.timeZone]));
      const reading = await readKeyFolder(root, {
        now,
        zoneOf: (org) => zones.get(org) ?? 'utc',
        before: this.#inodes,
        ...(restMs !== undefined && { restMs }),
      });
      const { actions, problems, kept } = await applyFolder(control, reading, this.#seen, now);
      for (const action of actions) this.#logAction(action);
      this.#logProblems(new Map(problems.map(({ file, message }) => [`${file}\n${message}`, message])));
      if (reading.state === 'read') this.#seen = new Set([...namesIn(reading), ...kept]);
      if (reading.state === 'read') this.#inodes = reading.inodes;
      if (reading.restsInMs !== null) nextMs = Math.min(everyMs, reading.restsInMs + afterRestMs);
    } catch (error) {
      logger.error('could not apply the folder of login keys; will retry within 2 s', {
        detail: (error as Error).message,
      });
      nextMs = Math.min(everyMs, 2000);
    }
    this.#schedule(nextMs);
  }

  #schedule(inMs: number): void {
    const dueAt = performance.now() + inMs;
    if (this.#isStopped || dueAt >= this.#dueAt) return;
    this.#dueAt = dueAt;
    clearTimeout(this.#timer);
    // A scan that is under way may have passed the file that changed.
    this.#timer = setTimeout(() => void (this.#scanning ?? Promise.resolve()).then(() => this.scan()), inMs);
  }

  /** A folder that was removed and created again, or mounted over, needs a new watcher. */
  async #follow(): Promise<void> {
    const { root, logger } = this.#deps;
    const found = await stat(root).catch(() => null);
    const identity = found === null ? null : `${found.dev}/${found.ino}`;
    if (identity === this.#watched || this.#isStopped) return;
    await this.#files?.close();
    this.#watched = identity;
    this.#files = identity === null ? null : watch(root, { ignoreInitial: true, depth: 2, persistent: true });
    this.#files
      ?.on('all', () => this.#schedule(gatherMs))
      .on('error', (error) => logger.debug('watching the folder of login keys', { detail: String(error) }));
  }

  #logAction(action: FolderAction): void {
    const { org } = action;
    const key = action.action === 'add' ? action.key.fingerprint : action.fingerprint;
    const file = action.action === 'add' ? action.key.file : action.file;
    const past = { add: 'added', change: 'changed', revoke: 'revoked' }[action.action];
    this.#deps.logger.log(action.action === 'revoke' ? 'warn' : 'info', `login key ${past} by its file`, {
      org,
      key,
      file,
    });
  }

  /** Logs each problem once, and its end. */
  #logProblems(problems: Map<string, string>): void {
    const { logger, root } = this.#deps;
    const fileOf = (name: string) => name.slice(0, name.indexOf('\n')) || root;
    for (const [name, message] of problems)
      if (!this.#logged.has(name))
        logger.error('could not use a file or folder of login keys; keys added from it before are kept', {
          file: fileOf(name),
          reason: message,
        });
    for (const [name, message] of this.#logged)
      if (!problems.has(name))
        logger.info('a file or folder of login keys can be used again', { file: fileOf(name), reason: message });
    this.#logged = problems;
  }
}

function namesIn({ orgs }: FolderReading): string[] {
  return [...orgs].flatMap(([org, { keys }]) => keys.map(({ fingerprint }) => nameOf(org, fingerprint)));
}
