/** Approves exactly the plan of a held run that was counted, and decides whether a plan is the one that was approved (rule G1). */
import { approveHeld } from '../../db/control/holds.js';
import type { Run } from '../../db/control/runs.js';
import type { RunDeps } from './deps.js';

export interface Decision {
  /** Who decided, for the audit trail. */
  by: string;
  note: string | null;
}

const hourMs = 3_600_000;

/** Queues the run for an importer, which applies it if it still plans the same. false: it is not held. */
export async function approveRun(
  { control, settings, now }: Pick<RunDeps, 'control' | 'settings' | 'now'>,
  run: Run,
  { by, note }: Decision,
): Promise<boolean> {
  if (run.hold === null) return false;
  const at = now();
  const until = at + settings.approvalHours * hourMs;
  return approveHeld(control, run, { by, at, until, digest: run.hold.digest, note });
}

/** The clocks of two nodes differ by less. */
const skewMs = 600_000;

/** An approval is for exactly the plan that was counted, and for a limited time: one from when the clock was ahead is over. */
export function isApproved({ approval }: Run, digest: string, now: number): boolean {
  return approval !== null && approval.digest === digest && now <= approval.until && approval.at <= now + skewMs;
}
