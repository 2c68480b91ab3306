/**
 * Erasures that a program asked for: each goes on by itself, however long its search of the organization's files takes, and the
 * program asks for its state. The process knows those of its own time; the directory has the receipts of all that have ended, and
 * an erasure that was cut off continues when it is asked for again.
 */
import { hasErasure } from '../../db/directory/erasedpeople.js';
import { findPending } from '../../db/directory/pendingerasures.js';
import { OperationError } from '../error.js';
import { describeFailure } from '../failure.js';
import { type Shares, takeShare } from '../places.js';
import type { Workplace } from '../workplace.js';
import { type Erasure, type ErasureOptions, eraseUser } from './erase.js';

/** Each reads every stored file of its organization: large ones leave a place for others. */
const shares: Shares = { most: 2, mostOfOrg: 1 };
/** That have ended, of which the process still knows the result. */
const mostKept = 200;

export interface ErasureJob {
  org: string;
  receipt: string;
  /** `interrupted`: the server ended meanwhile; the same request continues it. */
  state: 'running' | 'done' | 'failed' | 'interrupted';
  /** Of a running one: its last step. */
  progress: string | null;
  /** Of one that has ended in this process. */
  result: Erasure | null;
  /** Of a failed one. */
  problem: string | null;
}

export interface ErasureJobs {
  /**
   * Begins an erasure, and waits for its end for a time.
   * @returns the job, which runs on where the time was too short
   * @throws OperationError `unavailable` when others are under way; those of eraseUser, when it ends in time
   */
  erase(workplace: Workplace, org: string, who: string, options: ErasureOptions, waitMs: number): Promise<ErasureJob>;
  /** @throws OperationError `not_found` */
  find(workplace: Workplace, org: string, receipt: string): Promise<ErasureJob>;
}

/** @param busy names of the work that the process bounds */
export function createErasureJobs(busy: Set<string>): ErasureJobs {
  const jobs = new Map<string, ErasureJob>();
  const keep = (job: ErasureJob) => {
    jobs.set(`${job.org} ${job.receipt}`, job);
    const ended = [...jobs].filter(([, { state }]) => state !== 'running').map(([key]) => key);
    for (const key of ended.slice(0, Math.max(0, ended.length - mostKept))) jobs.delete(key);
  };
  return {
    async erase(workplace, orgId, who, options, waitMs) {
      const { id: org } = await workplace.org(orgId);
      const leave = takeShare(busy, 'erasure', org, shares);
      if (leave === null) throw new OperationError('unavailable', 'another person is erased now: try it again later');
      let know: (job: ErasureJob) => void = () => {};
      const known = new Promise<ErasureJob>((resolve) => {
        know = resolve;
      });
      let job: ErasureJob | null = null;
      const onReceipt = (receipt: string) => {
        job = { org, receipt, state: 'running', progress: null, result: null, problem: null };
        keep(job);
        know(job);
      };
      const onProgress = (text: string) => {
        if (job !== null) job.progress = text;
      };
      const work = eraseUser(workplace, org, who, { ...options, onReceipt, onProgress })
        .then((result) => {
          Object.assign(job!, { state: 'done', progress: null, result });
          return job!;
        })
        .catch((error: unknown) => {
          if (job !== null)
            Object.assign(job, { state: 'failed', progress: null, problem: describeFailure(error).message });
          throw error;
        })
        .finally(leave);
      // Its failure after the answer is told by the job.
      work.catch(() => {});
      return Promise.race([work, wait(waitMs).then(() => known)]);
    },
    async find(workplace, orgId, receipt) {
      const { id: org } = await workplace.org(orgId);
      const job = jobs.get(`${org} ${receipt}`);
      if (job !== undefined) return job;
      const rest = { org, receipt, progress: null, result: null, problem: null };
      if ((await findPending(workplace.directory.read, org, receipt)) !== null)
        return { ...rest, state: 'interrupted' };
      if (await hasErasure(workplace.directory.read, org, receipt)) return { ...rest, state: 'done' };
      throw new OperationError('not_found', `${org} has no erasure ${receipt.slice(0, 100)}`);
    },
  };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
