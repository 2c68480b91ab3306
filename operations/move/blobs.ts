/**
 * Moves the sealed files to another place, from the folder into an object store or back: copies them while servers run, holds the
 * databases still for those that are new, and switches in the transaction that ends the hold. The originals stay.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Settings } from '../../config/settings.js';
import { settingsSchema } from '../../config/settings.js';
import type { Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import {
  type BlobPlace,
  changeMove,
  readBlobPlace,
  refusePlacesBefore,
  writeBlobPlace,
} from '../../db/control/blobplace.js';
import { listLiveBlobs } from '../../db/control/blobs.js';
import { listUnendedRuns } from '../../db/control/identityrotation.js';
import { listOrgs } from '../../db/control/orgs.js';
import { dialectOf } from '../../db/dialect.js';
import { holdStill, type Still } from '../../db/move/lock.js';
import { requireInUse } from '../../db/move/state.js';
import { claimBlobFolder, replaceBlobFolder } from '../../storage/folderclaim.js';
import { openStore } from '../../storage/s3/openstore.js';
import { claimStore } from '../../storage/storeclaim.js';
import { inGroups } from '../byorg.js';
import { OperationError } from '../error.js';
import { atKeys, atSharedKeys } from '../keylock.js';
import type { Workplace } from '../workplace.js';
import { type BlobSides, copyBlob, listSizes } from './blobcopy.js';

/** In their order; a kill after any of them is repaired by repeating the move. */
export const blobMoveSteps = ['opened', 'marked', 'copied', 'held', 'filled', 'switched'] as const;
export type BlobMoveStep = (typeof blobMoveSteps)[number];

export interface BlobMoveOptions {
  onProgress: (text: string) => void;
  onStep?: (step: BlobMoveStep) => void | Promise<void>;
  /** How long it waits for the ends of imports; default: ten minutes. */
  waitMs?: number;
}

export interface BlobMoveReport {
  from: string;
  to: string;
  /** null: a move before has ended, but for the settings. */
  files: number | null;
  sealedBytes: number;
  /** Ids of files that the database names, and the old place does not have either. */
  missing: string[];
  /** How long nothing could be written. */
  heldMs: number;
}

interface Known {
  id: string;
  sealedSize: number;
}

const defaultWaitMs = 10 * 60_000;
const pauseMs = 500;
const pageRows = 200;
/** Files that are copied at once. */
const lanes = 8;
const progressEveryMs = 2000;
/** With at most so many new files the databases are held still for the rest. */
const fewFiles = 20;

/** Reports of an import would be in the old place: it is running, or applied and not settled. The message is the advice to an operator. */
class Busy extends Error {
  override name = 'Busy';
}

/** What a move would copy; nothing is written. @throws OperationError as moveBlobs */
export async function planBlobMove(
  source: Workplace,
  to: string,
): Promise<Pick<BlobMoveReport, 'from' | 'to' | 'files' | 'sealedBytes'>> {
  requirePlaceName(to);
  const from = await requireSource(source, to);
  let [files, sealedBytes] = [0, 0];
  for await (const { sealedSize } of walkLive(source.control.read))
    [files, sealedBytes] = [files + 1, sealedBytes + sealedSize];
  return { from, to, files, sealedBytes };
}

/**
 * Repeat it after a failure or a kill: it goes on behind the files that are copied.
 * @param source opened with `evenMoved`
 * @param to as the setting `blobs` names it
 * @throws OperationError, DatabaseError, StoreError
 */
export async function moveBlobs(source: Workplace, to: string, options: BlobMoveOptions): Promise<BlobMoveReport> {
  requirePlaceName(to);
  return atSharedKeys(source, async () => {
    const found = await readBlobPlace(source.control.read);
    if (found.place === to && source.settings.blobs !== to) {
      // Killed after the switch: only the settings are left to change.
      return { from: source.settings.blobs, to, files: null, sealedBytes: 0, missing: [], heldMs: 0 };
    }
    const from = await requireSource(source, to);
    // A machine with another folder would switch without most files.
    await claimBlobFolder(source.paths, source.control, source.now());
    const sides = openSides(source, to);
    try {
      await sides.to.store?.probe();
      if (sides.to.store !== undefined) await claimStore(sides.to.store, source.control);
      await options.onStep?.('opened');
      return await move(source, { from, to }, sides, options);
    } finally {
      sides.to.store?.close();
    }
  });
}

/** Gives up a move that has not ended, on whichever machine it runs. Copies that it has made stay in the other place. @throws OperationError `refused` */
export function giveUpBlobMove(source: Workplace, to: string): Promise<{ inUse: string; other: string }> {
  return atKeys(source, async () => {
    const found = await readBlobPlace(source.control.read);
    if (found.movingTo !== to)
      throw new OperationError(
        'refused',
        found.place === to
          ? `the sealed files are in ${to} already: to move them back, run "dropslot migrate --blobs ${source.settings.blobs === to ? 'PLACE' : source.settings.blobs}" with "blobs" set to ${to}`
          : `no move to ${to} has begun`,
      );
    if (!(await changeMove(source.control.write, found, { movingTo: null, copiedTo: null }, source.now())))
      throw new OperationError(
        'refused',
        `the move to ${to} has just been ended or given up on another machine: run "dropslot migrate --blobs ${to} --undo" again to read which`,
      );
    return { inUse: source.settings.blobs, other: to };
  });
}

function requirePlaceName(to: string): void {
  const checked = settingsSchema.shape.blobs.safeParse(to);
  if (!checked.success) throw new OperationError('usage', `--blobs ${checked.error.issues[0]!.message}`);
}

/** Where the files are. @throws OperationError */
async function requireSource({ settings, control }: Workplace, to: string): Promise<string> {
  await requireInUse(control.read);
  requirePlace(settings, await readBlobPlace(control.read));
  if (settings.blobs === to)
    throw new OperationError('usage', `the setting "blobs" is ${to} already: name another place`);
  if (settings.blobs !== 'folder' && to !== 'folder')
    throw new OperationError(
      'usage',
      'files move from a store to a folder, or from the folder to a store: move them in two steps',
    );
  return settings.blobs;
}

function requirePlace({ blobs }: Settings, { place }: BlobPlace): void {
  if (place !== null && place !== blobs)
    throw new OperationError('refused', `the sealed files are in ${place}: set "blobs" to it before you move them`);
}

function changedMeanwhile(to: string): OperationError {
  return new OperationError(
    'refused',
    `the move to ${to} was ended or given up on another machine meanwhile: nothing was switched here. If you still want it, repeat it`,
  );
}

function openSides(source: Workplace, to: string): BlobSides {
  const settings: Settings = { ...source.settings, blobs: to };
  const { store: _, ...paths } = source.paths;
  const store = openStore(settings);
  return { from: source.paths, to: { ...paths, ...(store !== undefined && { store }) } };
}

async function move(
  source: Workplace,
  { from, to }: { from: string; to: string },
  sides: BlobSides,
  { onProgress, onStep = () => {}, waitMs = defaultWaitMs }: BlobMoveOptions,
): Promise<BlobMoveReport> {
  const { control, now } = source;
  const begun = await mark(source, to);
  await onStep('marked');
  const there = new Set<string>();
  const missing = new Set<string>();
  const progress = showProgress(now, onProgress, there);
  const sizes = await listSizes(sides.to);
  const copy = async (blobs: readonly Known[]) => {
    const waiting = blobs.filter(({ id }) => !there.has(id) && !missing.has(id));
    const work = async () => {
      for (let blob = waiting.pop(); blob !== undefined; blob = waiting.pop()) {
        const copied = await copyBlob(sides, blob.id, !sizes.has(blob.id));
        (copied === 'missing' ? missing : there).add(blob.id);
        progress();
      }
    };
    await Promise.all(Array.from({ length: lanes }, work));
  };
  const { copiedTo: copiedBefore } = begun;
  await copyOn(source, begun, copy);
  // Until few are left, or files arrive as fast as they are copied.
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const fresh: Known[] = [];
    for await (const { id, sealedSize } of walkLive(control.read))
      if (!there.has(id) && !missing.has(id)) {
        // Of a move that was interrupted, which has compared them.
        if (copiedBefore !== null && id <= copiedBefore && sizes.get(id) === sealedSize) there.add(id);
        else fresh.push({ id, sealedSize });
      }
    await copy(fresh);
    if (fresh.length <= fewFiles || fresh.length >= before) break;
    before = fresh.length;
  }
  await onStep('copied');
  const event = { at: now(), org: null, actor: source.actor, action: 'blobs.moved', subject: to };
  await recordAudit(control.write, { ...event, detail: { from } });
  onProgress('holding the databases still: uploads wait or fail until the end, and their senders try again');
  const giveUpAt = performance.now() + waitMs;
  for (let told = ''; ; ) {
    const begunAt = performance.now();
    try {
      const totals = await holdStill(source, async (both) => {
        await requireSettled(both);
        const still = both.control;
        const { number, movingTo } = await readBlobPlace(still);
        if (number !== begun.number || movingTo !== to) throw changedMeanwhile(to);
        await onStep('held');
        let [files, sealedBytes] = [0, 0];
        const last: Known[] = [];
        for await (const blob of walkLive(still)) {
          if (!there.has(blob.id)) last.push(blob);
          [files, sealedBytes] = [files + 1, sealedBytes + blob.sealedSize];
        }
        missing.clear();
        await copy(last);
        await onStep('filled');
        await refusePlacesBefore(still, number + 1);
        await writeBlobPlace(still, { number: number + 1, place: to, movingTo: null, copiedTo: null }, now());
        await replaceBlobFolder(sides.to, still, now());
        return { files, sealedBytes };
      });
      await onStep('switched');
      return { from, to, ...totals, missing: [...missing], heldMs: Math.round(performance.now() - begunAt) };
    } catch (error) {
      if (!(error instanceof Busy)) throw error;
      if (performance.now() > giveUpAt)
        throw new OperationError('unavailable', `${error.message}, and repeat the move`);
      if (told !== error.message) onProgress(error.message);
      told = error.message;
      await sleep(pauseMs);
    }
  }
}

/** The database refuses the rows of reports that were written into the old place: a run that is applied could never be settled. @throws Busy */
async function requireSettled({ control, directory }: Pick<Still, 'control' | 'directory'>): Promise<void> {
  const runs = await listUnendedRuns(control);
  if (runs.some(({ state }) => state === 'running'))
    throw new Busy('an import is running, or was interrupted: wait for its end, or start a server that ends it');
  // Uploads wait meanwhile, and thousands of runs may be open.
  for (const some of inGroups(runs)) {
    const ids = some.map(({ id }) => id);
    const applied = await directory('applied_runs').whereIn('run_id', ids).orderBy('run_id').first('run_id');
    if (applied === undefined) continue;
    const { id, org } = some.find((run) => run.id === applied.run_id)!;
    throw new Busy(
      `run ${id} of ${org} is applied, and its end is not recorded yet: start a server that does it, or run "dropslot import ${org}"`,
    );
  }
}

/** From here on no rotation changes a file. @throws OperationError `refused` while one is not finished */
async function mark({ settings, control, now }: Workplace, to: string): Promise<BlobPlace> {
  return control.write.transaction(async (tx) => {
    // A rotation that begins locks a row of it.
    if (dialectOf(tx) === 'postgres') await tx.raw('LOCK TABLE orgs IN EXCLUSIVE MODE');
    const rotating = (await listOrgs(tx)).find(({ oldIdentities }) => oldIdentities.length > 0);
    if (rotating !== undefined)
      throw new OperationError(
        'refused',
        `the identity of ${rotating.id} is being rotated: finish that by "dropslot identity rotate ${rotating.id}" before the move`,
      );
    const found = await readBlobPlace(tx);
    requirePlace(settings, found);
    const begun = { ...found, movingTo: to, copiedTo: found.movingTo === to ? found.copiedTo : null };
    await writeBlobPlace(tx, begun, now());
    return begun;
  });
}

/** All that there are in the order of their ids, from where a move before was interrupted. */
async function copyOn(
  source: Workplace,
  begun: BlobPlace,
  copy: (blobs: readonly Known[]) => Promise<void>,
): Promise<void> {
  const { control, now } = source;
  for (let after = begun.copiedTo; ; ) {
    const page = await listLiveBlobs(control.read, after, pageRows);
    await copy(page);
    after = page.at(-1)?.id ?? after;
    if (!(await changeMove(control.write, begun, { copiedTo: after }, now()))) throw changedMeanwhile(begun.movingTo!);
    if (page.length < pageRows) return;
  }
}

async function* walkLive(db: Queryable): AsyncGenerator<Known> {
  for (let after: string | null = null; ; ) {
    const page: Known[] = await listLiveBlobs(db, after, pageRows);
    yield* page;
    if (page.length < pageRows) return;
    after = page.at(-1)!.id;
  }
}

function showProgress(now: () => number, onProgress: (text: string) => void, there: ReadonlySet<string>): () => void {
  let last = now();
  return () => {
    if (now() - last < progressEveryMs) return;
    last = now();
    onProgress(`files copied: ${there.size}`);
  };
}
