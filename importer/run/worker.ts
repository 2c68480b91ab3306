/** Claims runs and works on them, one at a time, holding the lease while it does. */

import { findOrg } from '../../db/control/orgs.js';
import { giveUpRun } from '../../db/control/requeue.js';
import { claimRun, type Run, releaseRun, renewLease } from '../../db/control/runs.js';
import { recordRead } from '../../db/control/uploads.js';
import { ImportError } from '../error.js';
import { dateIn } from '../schedule/calendar.js';
import type { Progress } from '../types.js';
import { findApplied } from './apply.js';
import type { RunDeps } from './deps.js';
import { workRun } from './run.js';

export interface WorkerDeps extends RunDeps {
  /** Unique to this process: `host:pid:random`. */
  owner: string;
  /** Whether the importer has been told to stop. */
  isStopping: () => boolean;
  /** Called when a run was claimed. */
  onClaim?: () => void;
}

/** After this many tries a run is given up: its files are queued again, and the operator is told. */
const mostAttempts = 5;

/**
 * Claims the next run and works on it. Never throws for what goes wrong in the run itself.
 * @param id only this run.
 * @returns whether there was one to claim, and whether it is over.
 */
export async function workNext(deps: WorkerDeps, id?: number): Promise<'idle' | 'ended' | 'left'> {
  const { control, directory, settings, now, logger, owner } = deps;
  const leaseMs = settings.leaseSeconds * 1000;
  const run = await claimRun(control.write, owner, now(), leaseMs, id);
  if (run === null) return 'idle';
  deps.onClaim?.();
  // What is applied has to be settled, however often that takes: its files must not be queued again.
  if (run.attempts > mostAttempts && (await findApplied(directory.read, run.id)) === null) {
    await giveUpRun(
      control,
      run,
      `given up after ${mostAttempts} attempts; see the log`,
      now(),
      await today(deps, run),
    );
    logger.error('a run was given up; its files are queued again', { org: run.org, run: run.id });
    return 'ended';
  }
  const lease = holdLease(deps, run, leaseMs);
  try {
    const summary = await workRun(deps, run, lease.tell);
    if (summary !== null) {
      for (const { uploadId, type, rows } of summary.files)
        if (uploadId !== null) await recordRead(control.write, uploadId, { type, rows });
      const files = summary.files.map(({ uploadId, type, state, rows }) => ({ uploadId, type, state, rows }));
      // One that an older version applied has no such list.
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
    if (error instanceof ImportError && error.code === 'unsafe') {
      logger.warn('a run was given up', { org: run.org, run: run.id, reason: error.message });
      await giveUpRun(control, run, error.message, now(), await today(deps, run));
      return 'ended';
    }
    const isExpected = error instanceof ImportError && error.code !== 'contended';
    if (isExpected) logger.info('a run waits for the next importer', { org: run.org, run: run.id, reason: error.code });
    else
      logger.error('a run failed; it will be tried again', {
        org: run.org,
        run: run.id,
        reason: (error as Error).message,
        stack: (error as Error).stack,
      });
    await releaseRun(control.write, run, !isExpected);
    return 'left';
  } finally {
    lease.end();
  }
}

/** The date where the organization is; in UTC if it is gone. */
async function today({ control, now }: WorkerDeps, run: Run): Promise<string> {
  const org = await findOrg(control.read, run.org);
  return dateIn(org?.timeZone ?? 'UTC', now());
}

/** Renews the lease while the run goes on; `tell` ends the run at its next step when it is lost or the importer stops. */
function holdLease({ control, now, logger, isStopping }: WorkerDeps, run: Run, leaseMs: number) {
  let progress: Progress = { phase: 'waiting', file: null, rows: 0 };
  let isLost = false;
  const renew = async () => {
    try {
      isLost ||= !(await renewLease(control.write, run, now() + leaseMs, progress));
    } catch (error) {
      logger.warn('a lease was not renewed', { run: run.id, reason: (error as Error).message });
    }
  };
  const timer = setInterval(renew, leaseMs / 3);
  return {
    tell: (latest: Progress) => {
      const isNewPhase = latest.phase !== progress.phase || latest.file !== progress.file;
      progress = latest;
      if (isLost) throw new ImportError('lease_lost', `run ${run.id} belongs to another importer now`);
      // Once a run is applied it is settled too: what is left takes no time.
      if (isStopping() && latest.phase !== 'archiving') throw new ImportError('stopping', 'the importer stops');
      if (isNewPhase) void renew();
    },
    end: () => clearInterval(timer),
  };
}
