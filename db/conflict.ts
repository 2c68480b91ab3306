/** Tells a transaction that failed for another one's sake from one that failed for its own. */
import { isUniqueViolation } from './error.js';

/** PostgreSQL: serialization_failure, deadlock_detected. */
const contentionCodes: readonly unknown[] = ['40001', '40P01'];

/** Whether another transaction came first: the same work, begun again, finds what that one wrote, and may succeed. */
export function isConflict(error: unknown): boolean {
  return isUniqueViolation(error) || contentionCodes.includes((error as { code?: unknown } | null)?.code);
}
