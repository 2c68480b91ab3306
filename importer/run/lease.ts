/** Renews the lease of a run with its progress, and notices that another importer has taken the run over. */
import { forgiveLostNode } from '../../db/control/quarantine.js';
import { type Run, renewLease, type StoredProgress } from '../../db/control/runs.js';
import { ImportError } from '../error.js';
import type { Progress } from '../types.js';
import type { RunDeps } from './deps.js';

interface LeaseDeps extends Pick<RunDeps, 'control' | 'now' | 'logger' | 'onFile'> {
  isStopping: () => boolean;
}

/** Progress is stored at most this often. */
const storeEveryMs = 1_000;

/** Renews the lease while the run is worked on; `reportProgress` throws at the next step when it is lost or the importer stops. */
export function holdLease({ control, now, logger, isStopping, onFile }: LeaseDeps, run: Run, leaseMs: number) {
  let progress: Progress = { phase: 'waiting', file: null, rows: 0 };
  let isLost = false;
  let renewedAt = performance.now();
  let upload: number | null = null;
  let stored: number | null = null;
  const renew = async () => {
    renewedAt = performance.now();
    try {
      const reading: StoredProgress = { upload, epoch: run.claim?.epoch };
      const isRenewed = await renewLease(control.write, run, now() + leaseMs, { ...progress, ...reading });
      if (isRenewed) stored = reading.upload ?? null;
      isLost ||= !isRenewed;
    } catch (error) {
      logger.warn('could not renew the lease of a run; will retry before it ends', {
        run: run.id,
        reason: (error as Error).message,
      });
    }
  };
  const timer = setInterval(renew, leaseMs / 3);
  const noteFile = (latest: number | null) => {
    upload = latest;
    onFile?.(latest);
    // Where an importer was lost before, it is noted at once which file this one reads: that file may be the cause.
    if (latest !== null && run.attempts > 1) void renew();
  };
  return {
    onFile: noteFile,
    reportProgress: (latest: Progress) => {
      const isNewPhase = latest.phase !== progress.phase || latest.file !== progress.file;
      progress = latest;
      // The database is at work, on several files or on the plan, and no file's content is read.
      if (latest.phase === 'applying' || (latest.phase === 'planning' && latest.file === null)) noteFile(null);
      if (isLost) throw new ImportError('lease_lost', `run ${run.id} belongs to another importer now`);
      // An applied run is settled before the importer stops: that takes a moment.
      if (isStopping() && latest.phase !== 'archiving') throw new ImportError('stopping', 'the importer stops');
      // A write costs a sync of the disk: a run of a moment needs none between its claim and its end.
      if (isNewPhase && performance.now() - renewedAt > storeEveryMs) void renew();
    },
    /** The run was lost, and not because of the file that it was reading: this process still works. */
    forgive: async () => {
      if (stored !== null) await forgiveLostNode(control.write, stored);
    },
    end: () => clearInterval(timer),
  };
}
