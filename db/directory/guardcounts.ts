/** The users whom the last imports of an organization changed without an approval: the guard counts them for 20 hours (rule G1). */
import type { Queryable } from '../connection.js';
import { insertRows, type Script } from '../script.js';

/** Numbers of users, which the guard has limits for. */
export interface Counted {
  /** Active users who are deactivated, or sooner than they were scheduled to be. */
  deactivations: number;
  /** Users who become admins, or are no longer active admins. */
  adminChanges: number;
  creations: number;
  reactivations: number;
  /** Users whose value of a field is replaced, by the field's label. */
  updates: Readonly<Record<string, number>>;
}

/** A day with four hours to spare, so that the import of each day is counted alone even when one is late. */
export const memoryHours = 20;
const memoryMs = memoryHours * 3_600_000;
/** The clocks of two nodes differ by less. */
const skewMs = 600_000;

/** The sums of the organization's imports in the 20 hours before `now` (ms). */
export async function readCounted(db: Queryable, org: string, now: number): Promise<Counted> {
  const rows = await db('guard_counts')
    .where({ org_id: org })
    .where('at', '>', now - memoryMs)
    .select('counts');
  return rows.map((row): Counted => JSON.parse(row.counts)).reduce(add, none);
}

/**
 * Joins the caller's transaction, and forgets counts that are older than 20 hours. Those from when the clock was ahead count for 20 hours
 * from now on.
 */
export async function addCounted(script: Script, org: string, runId: number, now: number, counted: Counted) {
  await script.run('DELETE FROM guard_counts WHERE org_id = :org AND at <= :past', { org, past: now - memoryMs });
  const ahead = { org, now, ahead: now + skewMs };
  await script.run('UPDATE guard_counts SET at = :now WHERE org_id = :org AND at > :ahead', ahead);
  const { deactivations, adminChanges, creations, reactivations, updates } = counted;
  const counts = JSON.stringify({ deactivations, adminChanges, creations, reactivations, updates });
  await insertRows(script, 'guard_counts', [{ run_id: runId, org_id: org, at: now, counts }]);
}

const none: Counted = { deactivations: 0, adminChanges: 0, creations: 0, reactivations: 0, updates: {} };

function add(one: Counted, other: Counted): Counted {
  const labels = [...new Set([...Object.keys(one.updates), ...Object.keys(other.updates)])];
  return {
    deactivations: one.deactivations + other.deactivations,
    adminChanges: one.adminChanges + other.adminChanges,
    creations: one.creations + other.creations,
    reactivations: one.reactivations + other.reactivations,
    updates: Object.fromEntries(
      labels.map((label) => [label, (one.updates[label] ?? 0) + (other.updates[label] ?? 0)]),
    ),
  };
}
