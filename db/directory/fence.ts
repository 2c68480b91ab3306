/**
 * The fence of an organization's directory: no importer that had its run taken over applies a plan after that, however long it
 * was paused or cut off. A lease alone can't tell: its holder may look at it, stand still, and commit later.
 */
import type { Queryable } from '../connection.js';

/**
 * Before a run is worked on that another importer did not give back: no earlier claim applies anything from here on. What that
 * one has applied by now is there to be found. false: a later claim came first.
 */
export async function raiseFence(db: Queryable, org: string, epoch: number): Promise<boolean> {
  const raised = await db('org_versions')
    .insert({ org_id: org, version: 0, fence: epoch })
    .onConflict('org_id')
    .merge({ fence: epoch })
    .where('org_versions.fence', '<=', epoch)
    .returning('fence');
  return raised.length > 0;
}

/** The largest claim that the directory has seen; 0: none was ever taken over. */
export async function readFence(db: Queryable, org: string): Promise<number> {
  return (await db('org_versions').where({ org_id: org }).first('fence'))?.fence ?? 0;
}
