/** What of the directory a plan begins with. */
import type { Queryable } from '../db/connection.js';
import { listTeamAliases } from '../db/directory/aliases.js';
import { listFields } from '../db/directory/fields.js';
import type { PlanJob } from './plan.js';

export async function readKnown(db: Queryable, org: string): Promise<Pick<PlanJob, 'fields' | 'teamAliases'>> {
  const aliases = await listTeamAliases(db, org);
  return {
    fields: await listFields(db, org),
    teamAliases: new Map(aliases.map(({ key, teamKey, teamName }) => [key, { key: teamKey, name: teamName }])),
  };
}
