/** Claims runs and works on them, one at a time, renewing the lease meanwhile. */
import { startPhases } from '../../config/spans.js';
import { readBlobPlace } from '../../db/control/blobplace.js';
import { findOrg } from '../../db/control/orgs.js';
import { giveUpRun } from '../../db/control/requeue.js';
import { claimRun, hasLease, type KeptRuns, type Run, releaseRun } from '../../db/control/runs.js';
import { recordRead } from '../../db/control/uploads.js';
import { DatabaseError } from '../../db/error.js';
import { requireFit } from '../../db/pair.js';
import { ImportError } from '../error.js';
import { ReadMeter } from '../read/meter.js';
import { dateIn } from '../schedule/calendar.js';
import type { Progress } from '../types.js';
import { findApplied } from './apply.js';
import type { RunDeps } from './deps.js';
import { classifyFailure } from './failureclass.js';
import { holdLease } from './lease.js';
import { pauseAfterFault } from './pause.js';
import { workRun } from './run.js';
import { sweepStages } from './stages.js';
import { judgeFileOfLost, takeOver, yieldToFence } from './takeover.js';

export interface WorkerDeps extends RunDeps {
  /** Unique to this process: `host:pid:random`. */
  owner: string;
  /** Whether the importer must stop. */
  isStopping: () => boolean;
  /** Called when a run was claimed. */
  onClaim?: () => void;
  /** Called at each step of a run. */
  onProgress?: (progress: Progress) => void;
  /** Claims only runs whose files have at most so many bytes together. */
  mostBytes?: number;
  /** The runs that this importer found waiting before. */
  kept?: KeptRuns;
  /** Fails where the two databases do not fit; absent: they are compared for each run. */
  requireFit?: () => Promise<void>;
}

/** After this many attempts the worker gives up a run: it queues the files again and logs an error. */
const mostAttempts = 5;

/**
 * Claims the next run and works on it. Logs failures of the run itself, and does not throw them.
 * @param id only this run.
 * @returns whether there was one to claim, and whether it is over.
 */
export async function workNext(deps: WorkerDeps, id?: number): Promise<'idle' | 'ended' | 'left'> {
  const { control, directory, settings, now, logger, owner } = deps;
  const leaseMs = settings.leaseSeconds * 1000;
  const run = await claimRun(control.write, owner, now(), leaseMs, id, deps.mostBytes, deps.kept);
  if (run === null) return 'idle';
  // Read after the claim: a move of the sealed files waits for the end of claimed runs.
  if ((await readBlobPlace(control.read)).number > (deps.paths.placeNumber ?? 0)) {
    await releaseRun(control.write, run, false);
    return 'idle';
  }
  deps.onClaim?.();
  const mismatch = await (deps.requireFit?.() ?? requireFit(deps)).then(
    () => null,
    (error: Error) => error,
  );
  if (mismatch !== null) {
    await pauseAfterFault(deps, run, mismatch);
    return 'left';
  }
  const lease = holdLease(deps, run, leaseMs);
  const phases = startPhases('run', now);
  let ending = 'failed';
  try {
    await takeOver(deps, run);
    await judgeFileOfLost(deps, run);
    // A run that was applied must be settled, after any number of attempts: its files must not be queued again.
    if (run.attempts > mostAttempts && (await findApplied(directory.read, run.id)) === null) {
      await giveUpRun(
        control,
        run,
        `given up after ${mostAttempts} attempts; see the log`,
        now(),
        await today(deps, run),
      );
      logger.error(`gave up a run after ${mostAttempts} attempts; its files are queued for the next run`, {
        org: run.org,
        run: run.id,
      });
      await sweepStages(deps);
      return 'ended';
    }
    const meter = new ReadMeter();
    const summary = await workRun({ ...deps, onFile: lease.onFile, meter }, run, (progress) => {
      const measured = meter.measure(progress);
      phases.begin(progress.phase);
      lease.reportProgress(measured);
      deps.onProgress?.(measured);
    });
    ending = summary?.state ?? 'left';
    if (summary === null) await lease.forgive();
    else {
      // Those of a run that is done were recorded with its end.
      const read = summary.state === 'held' ? summary.files : [];
      for (const { uploadId, type, rows } of read)
        if (uploadId !== null) await recordRead(control.write, uploadId, { type, rows });
      const files = summary.files.map(({ uploadId, type, state, rows }) => ({ uploadId, type, state, rows }));
      // A run that an older version applied has no `hold`.
      const hold = (summary.hold ?? []).map(({ code, count, of, limit }) => ({ code, count, of, limit }));
      const level = summary.state === 'held' ? 'warn' : 'info';
      logger[level](summary.state === 'held' ? 'run held for approval' : 'run done', {
        org: run.org,
        run: run.id,
        ms: now() - run.startedAt!,
        files,
        ...(hold.length > 0 && { hold }),
        users: summary.users,
        teams: summary.teams,
      });
    }
    return 'ended';
  } catch (error) {
    const isFenced = error instanceof DatabaseError && error.code === 'fenced';
    if (isFenced) await yieldToFence(deps, run);
    // Whatever failed: the importer that has the run now removed the stage, or changed what this one works on.
    if (!(await hasLease(control.read, run).catch(() => true))) {
      logger.info('left a run for the next importer', { org: run.org, run: run.id, reason: 'lease_lost' });
      await lease.forgive();
      return 'left';
    }
    if (error instanceof ImportError && error.code === 'unsafe') {
      logger.warn('gave up an unsafe run', { org: run.org, run: run.id, reason: error.message });
      await giveUpRun(control, run, error.message, now(), await today(deps, run));
      return 'ended';
    }
    if (classifyFailure(error) === 'machine') {
      await pauseAfterFault(deps, run, error);
      return 'left';
    }
    const isExpected = isFenced || error instanceof ImportError;
    if (isExpected) logger.info('left a run for the next importer', { org: run.org, run: run.id, reason: error.code });
    else
      logger.error('could not finish a run; will retry it', {
        org: run.org,
        run: run.id,
        reason: (error as Error).message,
        stack: (error as Error).stack,
      });
    await releaseRun(control.write, run, !isExpected);
    return 'left';
  } finally {
    const { org, id, kind, attempts } = run;
    phases.end(
      {
        ...{ 'dropslot.org': org, 'dropslot.run': id, 'dropslot.run.kind': kind },
        ...{ 'dropslot.attempt': attempts, 'dropslot.outcome': ending },
      },
      ending === 'failed',
    );
    lease.end();
    deps.onFile?.(null);
  }
}

/** The date in the organization's time zone; in UTC if the organization was removed. */
async function today({ control, now }: WorkerDeps, run: Run): Promise<string> {
  const org = await findOrg(control.read, run.org);
  return dateIn(org?.timeZone ?? 'UTC', now());
}
