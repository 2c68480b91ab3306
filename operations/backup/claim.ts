/** The claim of a scheduled backup while it is made: kept alive, until its end or until another process has taken it over. */
import type { Db } from '../../db/connection.js';
import { holdsBackupClaim, keepBackupClaim } from '../../db/control/backupschedule.js';
import { OperationError } from '../error.js';

/** A process that died no longer renews its claim. */
export const claimMs = 120_000;

/** Without it: why a backup ends that another process makes now. */
export function claimLost(): OperationError {
  return new OperationError(
    'refused',
    `another process makes this backup now, since this one stood still for ${claimMs / 1000} s: wait for its end`,
  );
}

/** @param onLost called once. Returns a function that ends the renewals. */
export function keepClaim(
  { write }: Pick<Db, 'write'>,
  claim: number,
  now: () => number,
  onLost: () => void,
  everyMs = claimMs / 4,
): () => void {
  const renewal = setInterval(() => {
    keepBackupClaim(write, claim, now() + claimMs)
      .then((isKept) => {
        if (isKept) return;
        clearInterval(renewal);
        onLost();
      })
      .catch(() => {}); // the claim has time for another attempt
  }, everyMs);
  return () => clearInterval(renewal);
}

/** Before a step that another process must not see. @throws OperationError `refused` when the claim was lost */
export async function requireClaim({ read }: Pick<Db, 'read'>, claim: number): Promise<void> {
  if (!(await holdsBackupClaim(read, claim))) throw claimLost();
}
