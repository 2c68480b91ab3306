/**
 * Checks files before their import: those below `/dry-run`, and those queued for the next slot. The reports describe
 * the changes that an import would make. Runs have precedence: a check that meets a run is given up and made again.
 */
import type { Db } from '../../db/connection.js';
import {
  type CheckedFile,
  type CheckKind,
  endCheckLease,
  forgetAttempt,
  listUnchecked,
  renewCheckLease,
  settleCheck,
  takeCheckLease,
  takeUnchecked,
  type Unchecked,
} from '../../db/control/checks.js';
import { listUnendedRuns } from '../../db/control/identityrotation.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { hasWaitingRun, noteTurn } from '../../db/control/runs.js';
import { findUpload, listQueue, type UploadRow } from '../../db/control/uploads.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { removeBlob } from '../../storage/blobs.js';
import { requireOpenable } from '../../storage/recipient.js';
import { ImportError } from '../error.js';
import type { RunDeps } from '../run/deps.js';
import { classifyFailure } from '../run/failureclass.js';
import { orderSources, type UploadSource } from '../run/order.js';
import { isSettled } from '../schedule/cadence.js';
import type { Progress } from '../types.js';
import { writeCheckReports } from './checkreports.js';
import { skipEarlyChecks } from './earlyskip.js';
import { planTrial } from './trialplan.js';

export interface CheckWorkerDeps extends Omit<RunDeps, 'onStep'> {
  /** Unique to this process. */
  owner: string;
  /** Whether this process stops. */
  mustYield: () => boolean;
  /** Called when files to check were taken. */
  onTake?: () => void;
  /** Takes only organizations whose files to check have at most so many bytes together. */
  mostBytes?: number;
}

/** How often a check asks whether a run of the organization was opened, or another run waits for an importer. */
const lookEveryMs = 1_000;
/** An importer that is free takes a run sooner than this. */
const waitsMs = 2_000;

/** Checks the files of one organization, if some are due. `left`: the check was given up or failed. */
export async function checkNext(deps: CheckWorkerDeps): Promise<'idle' | 'checked' | 'left'> {
  const { control, settings, now, owner, mostBytes = Number.POSITIVE_INFINITY } = deps;
  for (const unchecked of await listUnchecked(control.read)) {
    if (unchecked.bytes + unchecked.beside.bytes > mostBytes) continue;
    if (!isSettled(unchecked, now()) || isPaused(unchecked, now())) continue;
    const org = await findOrg(control.read, unchecked.org);
    // This check would be given up for the run: check another organization meanwhile.
    if (org === null || (await listUnendedRuns(control.read, org.id)).length > 0) continue;
    const leaseMs = settings.leaseSeconds * 1000;
    if (!(await takeCheckLease(control.write, org.id, owner, now(), leaseMs))) continue;
    return checkWithLease(deps, org, unchecked.kind, leaseMs);
  }
  return 'idle';
}

/** The pause after a check for each file and each byte that is planned again with the next one, and at most. */
const pauseMsPerFile = 4000;
const pauseMsPerByte = 1 / 50;
const longestPauseMs = 600_000;
/** Files that cost at least this share of those that are planned again with them need no pause. */
const growth = 1 / 3;

/**
 * Whether files that arrive one by one at a long queue wait for others, to share a check: until the queue has grown by a third, so that
 * all its checks together cost a few times its size, or until planning it again takes less than a hundredth of the time.
 */
function isPaused({ turnAt, files, bytes, beside }: Unchecked, now: number): boolean {
  if (turnAt === null || turnAt > now) return false;
  const pauseMs = pauseOf(beside);
  return pauseOf({ files, bytes }) < growth * pauseMs && now - turnAt < Math.min(pauseMs, longestPauseMs);
}

function pauseOf({ files, bytes }: Unchecked['beside']): number {
  return files * pauseMsPerFile + bytes * pauseMsPerByte;
}

async function checkWithLease(
  deps: CheckWorkerDeps,
  org: Org,
  kind: CheckKind,
  leaseMs: number,
): Promise<'checked' | 'left'> {
  const { control, now, owner, logger } = deps;
  let isLost = false;
  const renew = async () => {
    try {
      isLost ||= !(await renewCheckLease(control.write, org.id, owner, now() + leaseMs));
    } catch (error) {
      logger.warn('could not renew the lease of a check; will retry before it ends', {
        org: org.id,
        reason: (error as Error).message,
      });
    }
  };
  // Files that another process is importing need no check, and an import needs the importer.
  let isImported = false;
  const look = async () => {
    isImported ||=
      (await listUnendedRuns(control.read, org.id).catch(() => [])).length > 0 ||
      (await hasWaitingRun(control.read, now() - waitsMs).catch(() => false));
  };
  await look();
  await noteTurn(control.write, org.id, { checked_at: now() });
  deps.onTake?.();
  const timers = [setInterval(renew, leaseMs / 3), setInterval(look, lookEveryMs)];
  let ids: number[] = [];
  try {
    if (kind === 'queued' && (await skipEarlyChecks(deps, org))) return 'checked';
    ids = await takeUnchecked(control.write, org.id, kind);
    await checkFiles(deps, org, kind, ids, () => {
      if (isLost) throw new ImportError('lease_lost', `another importer checks the files of ${org.id}`);
      if (isImported || deps.mustYield()) throw new ImportError('stopping', 'a check gives way');
    });
    return 'checked';
  } catch (error) {
    if (error instanceof ImportError || classifyFailure(error) === 'machine') await forgetAttempt(control.write, ids);
    else
      logger.error('could not check uploads before their import; will retry, three attempts in all', {
        org: org.id,
        uploads: ids,
        reason: (error as Error).message,
      });
    return 'left';
  } finally {
    for (const timer of timers) clearInterval(timer);
    deps.onFile?.(null);
    await endCheckLease(control.write, org.id, owner);
  }
}

/**
 * Files that an import would read as users or teams are planned together, since each may change the meaning of another. Reports are
 * written on the new ones only; those with another header need no plan but their own.
 */
async function checkFiles(
  deps: CheckWorkerDeps,
  org: Org,
  kind: CheckKind,
  ids: readonly number[],
  reportProgress: (progress: Progress) => void,
): Promise<void> {
  const { control } = deps;
  const fresh = new Set(ids);
  const isNew = (upload: UploadRow) => fresh.has(upload.id);
  const all = kind === 'queued' ? await listQueue(control.read, org.id) : await findUploads(control, ids);
  const wanted = all.filter((upload) => isNew(upload) || upload.headerType !== 'none');
  const sources = await orderSources(deps, () => deps.identity(org), org, wanted, 'check');
  const candidates = sources.filter(({ type }) => type !== null);
  const others = sources.filter(({ type, upload }) => type === null && isNew(upload));
  if (candidates.some(({ upload }) => isNew(upload)))
    await checkTogether(deps, org, kind, candidates, isNew, reportProgress);
  if (others.length > 0) await checkTogether(deps, org, kind, others, isNew, reportProgress);
}

async function checkTogether(
  deps: CheckWorkerDeps,
  org: Org,
  kind: CheckKind,
  sources: readonly UploadSource[],
  isNew: (upload: UploadRow) => boolean,
  reportProgress: (progress: Progress) => void,
): Promise<void> {
  const { control, paths, now, owner, logger } = deps;
  const plain = sources.map(({ source }) => source);
  await sealAndCommit({
    ...{ paths, logger },
    isNamed: isInControl(control),
    seal: (keep) =>
      planTrial(deps, org, plain, reportProgress, async (plan) => {
        const checked: CheckedFile[] = [];
        for (const [file, { upload }] of sources.entries())
          if (isNew(upload)) checked.push(await writeCheckReports(deps, { org, kind, plan, sources }, file, keep));
        return checked;
      }),
    commit: async (checked, blobs) => {
      for (const file of checked) {
        const { isSettled, freed } = await control.transact(async (tx) => {
          await requireOpenable(tx, org.id, blobs);
          return settleCheck(tx, { org: org.id, kind, owner, at: now() }, file);
        });
        for (const blob of freed) await removeBlob(paths, blob);
        const { uploadId: upload, type, rows, refused } = file;
        if (isSettled) logger.info('checked before any import', { org: org.id, kind, upload, type, rows, refused });
      }
    },
  });
}

async function findUploads({ read }: Db, ids: readonly number[]): Promise<UploadRow[]> {
  const found = await Promise.all(ids.map((id) => findUpload(read, id)));
  return found.filter((upload) => upload?.state === 'dry_run') as UploadRow[];
}
