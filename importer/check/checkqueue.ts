/**
 * Checks files before their import: what lies below `/dry-run`, and what is queued for the next slot. The reports tell what an
 * import would do. Runs go first: a check that a run meets is given up and made again.
 */
import type { Db } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { isBlobLive } from '../../db/control/blobs.js';
import {
  type CheckedFile,
  type CheckKind,
  endCheckLease,
  forgetAttempt,
  listSpentFiles,
  listUnchecked,
  renewCheckLease,
  settleCheck,
  takeCheckLease,
  takeUnchecked,
} from '../../db/control/checks.js';
import { listUnendedRuns } from '../../db/control/identityrotation.js';
import { findOrg, type Org } from '../../db/control/orgs.js';
import { deleteExpiredFiles } from '../../db/control/retention.js';
import { findHeldRun } from '../../db/control/runs.js';
import { findUpload, listQueue, type UploadRow } from '../../db/control/uploads.js';
import { removeBlob } from '../../storage/blobs.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { ImportError } from '../error.js';
import { writeRejected, writeReport, writeText } from '../report/report.js';
import { requireOpenable } from '../run/openable.js';
import { orderSources, type UploadSource } from '../run/order.js';
import type { RunDeps } from '../run/run.js';
import { outcomeOf } from '../run/settlement.js';
import { slotDays } from '../schedule/cadence.js';
import { nextSlot } from '../schedule/calendar.js';
import { isSettled } from '../schedule/quiet.js';
import type { Progress } from '../types.js';
import { type ApartPlan, planApart, summarizeCheck } from './check.js';
import { nameReports } from './checkname.js';
import { describeVerdict } from './verdict.js';

export interface CheckerDeps extends Omit<RunDeps, 'onStep'> {
  /** Unique to this process. */
  owner: string;
  /** Whether a run needs this process, or it stops. */
  mustYield: () => boolean;
}

/** How often a check looks whether a run of the organization was opened. */
const lookEveryMs = 1_000;
/** Files of one check. */
const mostFiles = 50;
/** Clients look again at what they have sent: until then the file of a dry run is there. */
const spentMs = 10 * 60_000;

/** Makes one check, if one is due. */
export async function checkNext(deps: CheckerDeps): Promise<'idle' | 'checked' | 'left'> {
  const { control, settings, now, owner } = deps;
  for (const unchecked of await listUnchecked(control.read)) {
    if (!isSettled(unchecked, now())) continue;
    const org = await findOrg(control.read, unchecked.org);
    // A check would give way to its run: those of others need not wait for that.
    if (org === null || (await listUnendedRuns(control.read, org.id)).length > 0) continue;
    const leaseMs = settings.leaseSeconds * 1000;
    if (!(await takeCheckLease(control.write, org.id, owner, now(), leaseMs))) continue;
    return checkUnder(deps, org, unchecked.kind, leaseMs);
  }
  return 'idle';
}

async function checkUnder(deps: CheckerDeps, org: Org, kind: CheckKind, leaseMs: number): Promise<'checked' | 'left'> {
  const { control, now, owner, logger } = deps;
  let isLost = false;
  const renew = async () => {
    try {
      isLost ||= !(await renewCheckLease(control.write, org.id, owner, now() + leaseMs));
    } catch (error) {
      logger.warn('the lease of a check was not renewed', { org: org.id, reason: (error as Error).message });
    }
  };
  // What another process imports now needs no check of what it would do, and the machine has better things to do.
  let isImported = false;
  const look = async () => {
    isImported ||= (await listUnendedRuns(control.read, org.id).catch(() => [])).length > 0;
  };
  await look();
  const timers = [setInterval(renew, leaseMs / 3), setInterval(look, lookEveryMs)];
  const ids = await takeUnchecked(control.write, org.id, kind, mostFiles);
  try {
    await checkFiles(deps, org, kind, ids, () => {
      if (isLost) throw new ImportError('lease_lost', `another importer checks the files of ${org.id}`);
      if (isImported || deps.mustYield()) throw new ImportError('stopping', 'a check gives way');
    });
    return 'checked';
  } catch (error) {
    if (error instanceof ImportError) await forgetAttempt(control.write, ids);
    else logger.error('files were not checked', { org: org.id, uploads: ids, reason: (error as Error).message });
    return 'left';
  } finally {
    for (const timer of timers) clearInterval(timer);
    await endCheckLease(control.write, org.id, owner);
  }
}

async function checkFiles(
  deps: CheckerDeps,
  org: Org,
  kind: CheckKind,
  ids: readonly number[],
  tell: (progress: Progress) => void,
): Promise<void> {
  const { control, paths, now, owner, logger } = deps;
  // What the slot does with a file depends on what else waits for it: all is planned, and the new ones are told of.
  const uploads = kind === 'queued' ? await listQueue(control.read, org.id) : await findUploads(control, ids);
  const sources = await orderSources(deps, () => deps.identity(org), org, uploads);
  const sealed: SealedBlob[] = [];
  try {
    const plain = sources.map(({ source }) => source);
    if (sources.length === 0) return;
    const files = await planApart(deps, org, plain, tell, async (plan) => {
      const checked: CheckedFile[] = [];
      for (const [file, { upload }] of sources.entries())
        if (ids.includes(upload.id)) checked.push(await writeReports(deps, org, kind, plan, sources, file, sealed));
      return checked;
    });
    const of = { org: org.id, kind, owner, at: now() };
    for (const file of files) {
      const { isSettled, freed } = await control.transact(async (tx) => {
        await requireOpenable(tx, org.id, sealed);
        return settleCheck(tx, of, file);
      });
      for (const blob of freed) await removeBlob(paths, blob);
      const { uploadId: upload, type, rows, refused } = file;
      if (isSettled) logger.info('checked before any import', { org: org.id, kind, upload, type, rows, refused });
    }
  } catch (error) {
    // A commit whose answer was lost may name them: only those that no row knows are nobody's.
    for (const { id } of sealed) if (!(await isBlobLive(control.read, id))) await removeBlob(paths, id);
    throw error;
  }
}

async function findUploads({ read }: Db, ids: readonly number[]): Promise<UploadRow[]> {
  const found = await Promise.all(ids.map((id) => findUpload(read, id)));
  return found.filter((upload) => upload?.state === 'dry_run') as UploadRow[];
}

/** @param sealed gets each report as it is sealed. */
async function writeReports(
  deps: CheckerDeps,
  org: Org,
  kind: CheckKind,
  plan: ApartPlan,
  sources: readonly UploadSource[],
  file: number,
  sealed: SealedBlob[],
): Promise<CheckedFile> {
  const { upload, source } = sources[file]!;
  const planned = plan.planned[file]!;
  const { recipient, options } = org;
  const reportDeps = { settings: deps.settings, paths: deps.paths, stage: plan.stage, recipient, options };
  const place = placeReports(upload.path, kind, plan.today);
  const outcome = await outcomeOf(plan.stage, file, source, planned);
  const { faults, warnings, refused } = planned.type === 'teams' ? planned.teams : planned.users;
  const keep = async (blob: Promise<SealedBlob>) => {
    sealed.push(await blob);
    return blob;
  };
  const report = faults + warnings + refused > 0 ? await keep(writeReport(reportDeps, file, source)) : null;
  const rejected = faults > 0 ? await keep(writeRejected(reportDeps, file, source, planned)) : null;
  outcome.report = report === null ? null : place('csv');
  outcome.rejected = rejected === null ? null : place('rejected.csv');
  const summary = summarizeCheck(kind === 'dry_run' ? 'dry_run' : 'check', org, plan, [outcome]);
  const slot = nextSlot(org.timeZone, org.slot, plan.moment, slotDays(org.options));
  const slotAt = kind === 'dry_run' ? null : slot.at;
  const beside = sources.filter((_, other) => other !== file).map((other) => other.source.name);
  const heldRun = (await findHeldRun(deps.control.read, org.id))?.id ?? null;
  const text = describeVerdict({ summary, slotAt, heldRun, beside });
  return {
    uploadId: upload.id,
    type: planned.type,
    rows: planned.rows,
    refused: planned.refusal !== null,
    reports: [
      { path: place('csv'), blob: report },
      { path: place('rejected.csv'), blob: rejected },
      {
        path: place('json'),
        blob: await keep(writeText(reportDeps, `${JSON.stringify({ ...summary, slotAt }, null, 2)}\n`)),
      },
      { path: place('txt'), blob: await keep(writeText(reportDeps, text)) },
    ],
  };
}

/** Where the reports on a file are: a newer version of the file that is checked on the same day has its own in their place. */
function placeReports(path: string, kind: CheckKind, today: string): (extension: string) => string {
  const parts = path.split('/').slice(kind === 'dry_run' ? 2 : 1);
  const name = nameReports(parts, kind === 'dry_run' ? 'dry-run' : 'check');
  return (extension) => `/reports/${today}/${name(extension)}`;
}

/** Removes the files of dry runs that were made a while ago; how many. */
export async function removeSpent({
  control,
  paths,
  now,
}: Pick<CheckerDeps, 'control' | 'paths' | 'now'>): Promise<number> {
  const spent = await listSpentFiles(control.read, now() - spentMs, mostFiles);
  for (const file of spent) {
    const gone = await control.transact(async (tx) => {
      const files = await deleteExpiredFiles(tx, [file]);
      const event = { at: now(), org: file.org, actor: 'system', action: 'dry_run.removed', subject: file.org };
      if (files.length > 0) await recordAudit(tx, { ...event, detail: { blob: file.blobId } });
      return files;
    });
    for (const { blobId } of gone) if (!(await isBlobLive(control.read, blobId))) await removeBlob(paths, blobId);
  }
  return spent.length;
}
