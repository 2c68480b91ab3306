/** Makes the exports that are due: users and teams as CSV at their target, at least once and never in part. */
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { type Subscriber, updateSubscriber } from '../../db/control/eventsubscribers.js';
import type { Org } from '../../db/control/orgs.js';
import { lastDirectoryEvent } from '../../db/directory/events.js';
import type { Batch, Deliverer, Outcome } from '../../events/deliverer.js';
import type { MasterKey } from '../../keys/master/master.js';
import { openText } from '../../keys/master/sealedtext.js';
import { exportTeams, exportUsers, recordExport } from '../export.js';
import { openFolder } from './folder.js';
import { describeTarget, type ExportOptions, type UnfinishedFile } from './options.js';
import { HostKeyChanged, openRemote } from './sftp.js';
import { abandonedNames, type ExportTarget, expiredNames, fileName, temporaryName } from './target.js';

export interface ExportDeps {
  control: Db;
  directory: Db;
  paths: Paths;
  settings: Pick<Settings, 'eventDays'>;
  logger: Logger;
  now: () => number;
  /** For the audit trail. */
  actor: string;
  /** @throws OperationError `not_found` */
  org(id: string): Promise<Org>;
  /** Reads the master key as it is now. @throws KeyError */
  loadMaster(): Promise<MasterKey>;
  /** Called after each step that a crash can separate from the next: for tests that kill the process there. */
  onStep?: (step: ExportStep) => void | Promise<void>;
  /** For tests: bytes between two places at which an interrupted file is continued. */
  partBytes?: number;
}

/** kept: a part of a file is synced and noted. written: a file is complete under its temporary name. renamed: both files have their names. */
export type ExportStep = 'kept' | 'written' | 'renamed';

const usualPartBytes = 4 * 1024 * 1024;

const concurrency = 2;
const mostEvents = 200;
/** A run may have begun so long before its events were recorded. */
const marginMs = 2 * 3_600_000;
const dayMs = 86_400_000;

export function createExportDeliverer(deps: ExportDeps): Deliverer {
  return {
    kind: 'export',
    concurrency,
    // Runs that ended one after the other need one export.
    gather: { ms: 0, most: mostEvents },
    async deliver({ events, subscriber }: Batch, signal): Promise<Outcome> {
      const own = events.filter(
        ({ type, data }) => type !== 'export.due' || (data as { export: string }).export === subscriber.id,
      );
      const last = own.at(-1);
      if (last === undefined) return { result: 'delivered', detail: 'the export of another subscriber' };
      return makeExport(deps, subscriber, { id: last.id, at: Date.parse(last.at) }, signal);
    },
  };
}

/** @param event that it is made for: it is made once for each. */
export async function makeExport(
  deps: ExportDeps,
  subscriber: Subscriber,
  event: { id: string; at: number },
  signal: AbortSignal,
): Promise<Outcome> {
  const options = subscriber.options as unknown as ExportOptions;
  if (options.last?.event === event.id) return { result: 'delivered', detail: 'the files were written before' };
  let target: ExportTarget | null = null;
  try {
    const org = await deps.org(subscriber.org!);
    target = await openTarget(deps, subscriber, org, event.id, signal);
    const detail = await writeFiles(deps, subscriber, org, target, event);
    return { result: 'delivered', detail };
  } catch (error) {
    const detail = (error as Error).message.replace(/\p{Cc}+/gu, ' ').slice(0, 400);
    return { result: error instanceof HostKeyChanged ? 'gone' : 'failed', detail };
  } finally {
    await target?.close();
  }
}

async function openTarget(
  deps: ExportDeps,
  { id, options, secret }: Subscriber,
  org: Org,
  event: string,
  signal: AbortSignal,
): Promise<ExportTarget> {
  const { target, unfinished } = options as unknown as ExportOptions;
  if (target.kind === 'folder') return openFolder(deps, org, target.path);
  const { identity } = await deps.loadMaster();
  return openRemote(target, {
    ...{ privateKey: await openText(identity, secret!), partBytes: deps.partBytes ?? usualPartBytes, signal },
    temporaryOf: (name) => temporaryName(id, event, name),
    partOf: (name) => (unfinished?.name === name ? unfinished : null),
    keepPart: async (name, part) => {
      const kept: UnfinishedFile = { name, ...part };
      await updateSubscriber(deps.control.write, id, { options: { ...options, unfinished: kept } });
      await deps.onStep?.('kept');
    },
    onWritten: () => deps.onStep?.('written'),
  });
}

/** Returns the text for the delivery log. */
async function writeFiles(
  deps: ExportDeps,
  { id, options: stored }: Subscriber,
  org: Org,
  target: ExportTarget,
  event: { id: string; at: number },
): Promise<string> {
  const { control, directory, now, actor } = deps;
  const { unfinished: _, ...options } = stored as unknown as ExportOptions;
  const at = now();
  // Read before the users are: a change in between is in this export and in the next one, never in none.
  const upTo = await lastDirectoryEvent(directory.read);
  const since = sinceOf(options, deps.settings, at);
  const of = { id, event: event.id, at: event.at, since: since?.at ?? null };
  const names = { users: fileName('users', of), teams: fileName('teams', of) };
  const place = { control, directory, now, org: deps.org, actor };
  const changed = since === null ? {} : { changedAfterEvent: since.upTo };
  await recordExport(place, org.id, 'users', { to: describeTarget(options.target), export: id });
  await target.write(names.users, () => exportUsers(place, org.id, changed));
  await recordExport(place, org.id, 'teams', { to: describeTarget(options.target), export: id });
  await target.write(names.teams, () => exportTeams(place, org.id));
  await deps.onStep?.('renamed');
  await updateSubscriber(control.write, id, { options: { ...options, last: { event: event.id, at, upTo } } });
  const left = await removeExpired(target, id, options.keep);
  const written = `wrote ${names.users} and ${names.teams}`;
  return left === null ? written : `${written}; could not remove old files: ${left}`;
}

/** null: all users. Events that are older than `eventDays` are removed: then nothing says who changed. */
function sinceOf({ changedOnly, last }: ExportOptions, { eventDays }: Pick<Settings, 'eventDays'>, now: number) {
  if (!changedOnly || last === undefined) return null;
  return last.at > now - eventDays * dayMs + marginMs && last.at <= now ? last : null;
}

/** null: done. Otherwise the reason: the export itself is complete. */
async function removeExpired(target: ExportTarget, id: string, keep: number): Promise<string | null> {
  try {
    const names = await target.list();
    for (const name of [...expiredNames(id, keep, names), ...abandonedNames(id, names)]) await target.remove(name);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
