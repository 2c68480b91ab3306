/** One round of a source or a watched folder: finishes the deletions that a crash prevented, lists, waits until files no longer change, takes the new ones. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Org } from '../db/control/orgs.js';
import { followAbsent, listTaken, listUploadStates, type TakenFile } from '../db/control/sourcefiles.js';
import type { RoundResult, Source } from '../db/control/sources.js';
import { SpaceError } from '../storage/types.js';
import { finishFile, isOver } from './afterfetch.js';
import type { RoundDeps } from './deps.js';
import { SourceError } from './error.js';
import { findMarker, isMarker } from './marker.js';
import { isWanted, pathOf } from './names.js';
import type { Listed, Place } from './place.js';
import { takeFile } from './take.js';

/** More matching files than this can't be remembered. */
export const mostFiles = 20_000;
const mostProblems = 20;
/** A file that was gone for so long is new when it comes again. */
const forgetAfterMs = 90 * 86_400_000;

/** The files that one round would take. */
export interface Preview {
  /** Files that match and are new, the oldest first. */
  wanted: Listed[];
  /** Of those that match, how many were taken before. */
  known: number;
  /** Regular files in the folder. */
  names: number;
}

/** @throws SourceError; SpaceError when this server can store nothing now */
export async function runRound(deps: RoundDeps, source: Source, org: Org): Promise<RoundResult> {
  const result = { listed: 0, taken: 0, bytes: 0, unchanged: 0, waiting: 0, problems: [] as string[] };
  const problem = (text: string) => {
    if (result.problems.length < mostProblems) result.problems.push(text);
  };
  const place = await deps.openPlace(source);
  // A request that has no answer yet fails at once.
  const end = () => place.interrupt();
  deps.signal.addEventListener('abort', end, { once: true });
  try {
    checkStop(deps.signal);
    await deps.onStep?.('connected');
    const taken = await finishPending(deps, source, place, problem);
    const names = await place.list();
    const { wanted, matching } = select(source, org, names, taken);
    result.listed = matching.length;
    await followNames(deps, source, taken, names);
    const ready = await settle(deps, source, place, wanted, names);
    result.waiting = wanted.length - ready.length;
    await deps.onStep?.('listed');
    for (const file of ready) {
      checkStop(deps.signal);
      if (pathOf(source.config.into, file.name) === null) {
        problem('a name that no file may have here (control characters, not UTF-8, too long) is not fetched');
        continue;
      }
      try {
        const outcome = await takeFile(deps, { source, org, place, file, before: taken.get(file.name) ?? null });
        if (outcome.kind === 'taken') {
          result.taken++;
          result.bytes += outcome.bytes;
        } else result.unchanged++;
        if (isOver(source, outcome.file, 'imported', outcome.kind))
          await finishFile(deps, source, place, outcome.file, null, problem);
      } catch (error) {
        checkStop(deps.signal);
        if (!isOfFile(error)) throw error;
        if (error instanceof SourceError && error.code === 'changing') result.waiting++;
        problem(`${file.name}: ${(error as Error).message}`);
      }
    }
    return result;
  } catch (error) {
    checkStop(deps.signal);
    throw error;
  } finally {
    deps.signal.removeEventListener('abort', end);
    await place.close().catch(() => {});
  }
}

/** Lists, and takes nothing. @throws SourceError */
export async function previewRound(
  place: Place,
  source: Source,
  org: Org,
  taken: readonly TakenFile[],
): Promise<Preview> {
  const names = await place.list();
  const { wanted, matching } = select(source, org, names, new Map(taken.map((one) => [one.name, one])));
  return { wanted, known: matching.length - wanted.length, names: names.length };
}

/** An error of one file; the others are tried. */
function isOfFile(error: unknown): boolean {
  if (error instanceof SourceError) return error.code === 'changing' || error.code === 'refused';
  const codes = [
    'too_large',
    'quota',
    'bad_name',
    'control_character',
    'read_only',
    'is_a_folder',
    'not_a_folder',
    'exists',
  ];
  return error instanceof SpaceError && codes.includes(error.code);
}

function checkStop(signal: AbortSignal): void {
  if (signal.aborted)
    throw signal.reason instanceof SourceError ? signal.reason : new SourceError('stopped', 'the round was ended');
}

/** The files that match, and those of them that are new, the oldest first. @throws SourceError `too_many` */
function select(
  { config }: Source,
  org: Org,
  names: readonly Listed[],
  taken: ReadonlyMap<string, TakenFile>,
): { wanted: Listed[]; matching: Listed[] } {
  const marker = config.kind === 'folder' ? config.marker : null;
  const matching = names.filter(({ name }) => !isMarker(name, marker) && isWanted(config, org.options, name));
  if (matching.length > mostFiles)
    throw new SourceError(
      'too_many',
      `${matching.length} files match, and ${mostFiles} are the most: move the older ones away, or narrow the pattern`,
    );
  const wanted = matching.filter((file) => {
    const known = taken.get(file.name);
    return known === undefined || known.size !== file.size || known.mtimeMs !== file.mtimeMs;
  });
  wanted.sort((one, other) => one.mtimeMs - other.mtimeMs || (one.name < other.name ? -1 : 1));
  return { wanted, matching };
}

/** Those whose sender has finished them: their marker is there, or they did not change for a while and no process holds them. */
async function settle(
  { settings, signal }: RoundDeps,
  { config }: Source,
  place: Place,
  wanted: readonly Listed[],
  names: readonly Listed[],
): Promise<Listed[]> {
  if (wanted.length === 0) return [];
  const marker = config.kind === 'folder' ? config.marker : null;
  if (marker !== null) {
    const markers = new Map(names.filter(({ name }) => isMarker(name, marker)).map((one) => [one.name, one]));
    return wanted.filter((file) => findMarker(file, marker, markers) !== null);
  }
  await sleep(settings.sourceSettleSeconds * 1000, undefined, { signal }).catch(() => {});
  checkStop(signal);
  const again = new Map((await place.list()).map((file) => [file.name, file]));
  const still = wanted.filter(({ name, size, mtimeMs }) => {
    const now = again.get(name);
    return now !== undefined && now.size === size && now.mtimeMs === mtimeMs;
  });
  const held = await place.findHeld(still);
  return still.filter(({ name }) => !held.has(name));
}

/** Deletes or moves the files that were taken, and whose time for that has come, in an earlier round. */
async function finishPending(
  deps: RoundDeps,
  source: Source,
  place: Place,
  problem: (text: string) => void,
): Promise<Map<string, TakenFile>> {
  const taken = new Map((await listTaken(deps.control.read, source.id)).map((file) => [file.name, file]));
  const pending = [...taken.values()].filter(({ isPending }) => isPending);
  const states = await listUploadStates(
    deps.control.read,
    pending.map(({ uploadId }) => uploadId),
  );
  for (const file of pending) {
    checkStop(deps.signal);
    const state = states.get(file.uploadId) ?? null;
    if (!isOver(source, file, state, 'earlier')) continue;
    const isDone = await finishFile(deps, source, place, file, state, problem);
    if (isDone) taken.delete(file.name);
  }
  return taken;
}

/** An empty folder is no proof that files were deleted: a share may not be mounted. */
async function followNames(
  { control, now }: RoundDeps,
  { id }: Source,
  taken: ReadonlyMap<string, TakenFile>,
  names: readonly Listed[],
): Promise<void> {
  const present = new Set(names.map(({ name }) => name));
  const all = [...taken.values()];
  const gone = all.filter((file) => file.goneAt === null && !present.has(file.name)).map(({ name }) => name);
  const back = all.filter((file) => file.goneAt !== null && present.has(file.name)).map(({ name }) => name);
  const before = now() - forgetAfterMs;
  const isOld = all.some(({ goneAt }) => goneAt !== null && goneAt < before);
  if (gone.length + back.length === 0 && !isOld) return;
  await control.transact((tx) => followAbsent(tx, id, { gone, back }, now(), before));
}
