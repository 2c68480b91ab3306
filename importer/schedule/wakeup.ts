/** One node-schedule job that wakes the importer at an instant. The calendar computes it; node-schedule only waits. */
import schedule from 'node-schedule';

export interface WakeUp {
  /** Moves the job to an instant, in milliseconds since 1970 by `now`; null: it does not wake. */
  set(at: number | null): void;
  cancel(): void;
}

/** node-schedule refuses an instant that passes while it is asked. */
const leastDelayMs = 10;

/** `onWake` gets the instant that was set. */
export function createWakeUp(now: () => number, onWake: (at: number) => void): WakeUp {
  let job: schedule.Job | null = null;
  let jobAt: number | null = null;
  const cancel = () => {
    job?.cancel();
    job = null;
    jobAt = null;
  };
  const set = (at: number | null) => {
    if (at === jobAt) return;
    cancel();
    if (at === null) return;
    // `now` may be another clock than the one that node-schedule reads: both agree on how long it is.
    const delayMs = Math.max(at - now(), leastDelayMs);
    job = schedule.scheduleJob(new Date(Date.now() + delayMs), () => {
      if (jobAt !== at) return;
      jobAt = null;
      onWake(at);
    });
    jobAt = job === null ? null : at;
  };
  return { set, cancel };
}
