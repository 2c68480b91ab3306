/** Works on the sources and watched folders whose time has come, a few at once, until it is stopped. */
import { type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type FolderConfig, listDueSources, listSources, type Source, updateSource } from '../db/control/sources.js';
import { type WorkDeps, workOn } from './work.js';

const lookEveryMs = 2_000;
const followEveryMs = 15_000;
const mostAtOnce = 4;
/** A folder that does not answer must not delay the other sources. */
const shortMs = 3_000;
/** A burst of notifications about one folder causes one round. */
const quietMs = 300;

export interface Watching {
  /** Ends the rounds under way; they take no further file. */
  stop(): Promise<void>;
}

/** @param everyMs between two looks for sources that are due */
export function watchSources(deps: WorkDeps, everyMs = lookEveryMs): Watching {
  const stopping = new AbortController();
  const running = new Map<number, Promise<void>>();
  const watchers = createWatchers(deps);
  let timer: NodeJS.Timeout | undefined;
  let followedAt = Number.NEGATIVE_INFINITY;
  const begin = (id: number) => {
    const work = workOn(deps, id, stopping.signal)
      .then(() => {})
      .catch((error: Error) => {
        deps.logger.error('could not work on a source; will retry', { source: id, reason: error.message });
        return updateSource(deps.control.write, id, { nextAt: deps.now() + 60_000 }).catch(() => {});
      })
      .then(() => void running.delete(id));
    running.set(id, work);
  };
  const look = async () => {
    const now = deps.now();
    // Also after the clock was set back.
    if (Math.abs(now - followedAt) >= followEveryMs) {
      await watchers.follow();
      followedAt = now;
    }
    const due = await listDueSources(deps.control.read, now, mostAtOnce * 4);
    for (const id of due) if (!running.has(id) && running.size < mostAtOnce) begin(id);
  };
  let looking: Promise<void> = Promise.resolve();
  const round = () => {
    looking = look()
      .catch((error: Error) => {
        deps.logger.error('could not look for sources that are due; will retry', { reason: error.message });
      })
      .finally(() => {
        if (!stopping.signal.aborted) timer = setTimeout(round, everyMs);
      });
  };
  round();
  return {
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      await looking;
      clearTimeout(timer);
      await Promise.all(running.values());
      watchers.close();
    },
  };
}

interface Watched {
  /** null: the system gives no notifications of it. */
  watcher: FSWatcher | null;
  /** Of the folder, so that it is watched anew after a mount. */
  identity: string;
  timer?: NodeJS.Timeout;
}

/** Notifications of the system begin the round of a folder early. Where they fail, the regular rounds find the files. */
function createWatchers({ control, logger, now, patience }: WorkDeps) {
  const open = new Map<number, Watched>();
  const end = (id: number) => {
    const one = open.get(id);
    open.delete(id);
    clearTimeout(one?.timer);
    one?.watcher?.close();
  };
  const begin = (id: number, { dir }: FolderConfig, identity: string) => {
    const one: Watched = { watcher: null, identity };
    open.set(id, one);
    const wake = () => {
      clearTimeout(one.timer);
      one.timer = setTimeout(() => {
        updateSource(control.write, id, { nextAt: now() }).catch(() => {}); // the regular round comes anyway
      }, quietMs);
    };
    const warn = (error: Error) =>
      logger.warn('a folder sends no notifications; it is looked at each minute', {
        source: id,
        reason: error.message,
      });
    try {
      // One watch for the folder, whatever the number of its files.
      one.watcher = watch(dir).on('change', wake).on('error', warn);
    } catch (error) {
      warn(error as Error); // too few watches, or the folder has just been removed
    }
  };
  return {
    /** Watches each folder that is there, and again after its file system was mounted anew. */
    async follow(): Promise<void> {
      const folders = (await listSources(control.read, { kind: 'folder' })) as Source<FolderConfig>[];
      const wanted = folders.filter(
        ({ state, failures, config }) => state === 'active' && failures === 0 && !config.poll,
      );
      for (const id of open.keys()) if (!wanted.some((one) => one.id === id)) end(id);
      for (const { id, config } of wanted) {
        const found = await patience.ask(config.dir, () => stat(config.dir), shortMs).catch(() => null);
        const identity = found === null ? null : `${found.dev}:${found.ino}`;
        if (open.get(id)?.identity === identity) continue;
        end(id);
        if (identity !== null) begin(id, config, identity);
      }
    },
    close(): void {
      for (const id of [...open.keys()]) end(id);
    },
  };
}
