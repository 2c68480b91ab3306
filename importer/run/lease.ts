/** Renews the lease of a run with its progress, and notices that another importer has taken the run over. */
import { type Run, renewLease } from '../../db/control/runs.js';
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
  const renew = async () => {
    renewedAt = performance.now();
    try {
      isLost ||= !(await renewLease(control.write, run, now() + leaseMs, progress));
    } catch (error) {
      logger.warn('could not renew the lease of a run; will retry before it ends', {
        run: run.id,
        reason: (error as Error).message,
      });
    }
  };
  const timer = setInterval(renew, leaseMs / 3);
  return {
    reportProgress: (latest: Progress) => {
      const isNewPhase = latest.phase !== progress.phase || latest.file !== progress.file;
      progress = latest;
      // From here on the database is at work, and no longer the file's content.
      if (latest.phase === 'applying') onFile?.(null);
      if (isLost) throw new ImportError('lease_lost', `run ${run.id} belongs to another importer now`);
      // An applied run is settled before the importer stops: that takes a moment.
      if (isStopping() && latest.phase !== 'archiving') throw new ImportError('stopping', 'the importer stops');
      // A write costs a sync of the disk: a run of a moment needs none between its claim and its end.
      if (isNewPhase && performance.now() - renewedAt > storeEveryMs) void renew();
    },
    end: () => clearInterval(timer),
  };
}
