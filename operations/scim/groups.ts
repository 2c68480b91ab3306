/** Teams as resources of SCIM (RFC 7643, section 4.2), with their members, of which an answer has a bounded number. */
import type { Queryable } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import {
  countScimTeams,
  listMembersOf,
  listScimTeams,
  type ScimMember,
  type ScimTeamFilter,
  type ScimTeamRow,
} from '../../db/directory/scimusers.js';
import { nameKey } from '../../importer/read/normalize.js';
import { ScimError } from './error.js';
import { necessary, type Resource } from './match.js';
import { groupUrn } from './schemas.js';
import { groupBy, readId, readSince, type Search, type Source } from './search.js';

/** An answer is built in memory. A list that ends early would look as if the others had left: it is refused instead. */
const mostMembers = 20_000;

/** @param base URI of the organization's SCIM resources, without a slash at its end */
export function openGroups(db: Queryable, org: Org, base: string): Source<ScimTeamRow> {
  return {
    list: (filter, page) => listScimTeams(db, org.id, narrow(filter), page),
    count: (filter) => countScimTeams(db, org.id, narrow(filter)),
    keyOf: ({ nameKey: key }) => key,
    toResources: async (rows, needs) => {
      const members = needs('members') ? await membersByTeam(db, rows) : null;
      return rows.map((row) => toResource(row, members?.get(row.id) ?? null, base));
    },
  };
}

function toResource(
  { id, name, createdAt, updatedAt }: ScimTeamRow,
  members: ScimMember[] | null,
  base: string,
): Resource {
  const shown = (members ?? []).map(({ userId, email, name: called }) => {
    return { value: String(userId), $ref: `${base}/Users/${userId}`, display: called ?? email, type: 'User' };
  });
  return {
    schemas: [groupUrn],
    id: String(id),
    displayName: name,
    ...(shown.length > 0 && { members: shown }),
    meta: {
      resourceType: 'Group',
      created: new Date(createdAt).toISOString(),
      lastModified: new Date(updatedAt).toISOString(),
      location: `${base}/Groups/${id}`,
    },
  };
}

/** @throws ScimError `tooMany` */
async function membersByTeam(db: Queryable, rows: readonly ScimTeamRow[]): Promise<Map<number, ScimMember[]>> {
  if (rows.length === 0) return new Map();
  const ids = rows.map(({ id }) => id);
  const found = await listMembersOf(db, ids, mostMembers + 1);
  if (found.length > mostMembers)
    throw new ScimError(
      400,
      'tooMany',
      `the answer would have more than ${mostMembers} members: ask with excludedAttributes=members, and for the members of a group with Users?filter=groups.value eq "${ids[0]}", page by page`,
    );
  return groupBy(found, ({ teamId }) => teamId);
}

/** The part of a search that the database decides. */
function narrow({ id, filter }: Pick<Search, 'id' | 'filter'>): ScimTeamFilter {
  const known: ScimTeamFilter = id === null ? {} : { id };
  for (const { name, operator, value } of necessary(filter)) {
    if (name === 'meta.lastModified' && operator === 'gt') known.updatedAfter ??= readSince(operator, value);
    else if (name === 'meta.lastModified') known.updatedSince ??= readSince(operator, value);
    if (operator !== 'eq' || value === null) continue;
    if (name === 'id') known.id ??= readId(String(value));
    if (name === 'displayName') known.nameKey ??= nameKey(String(value));
    if (name === 'members.value') known.member ??= readId(String(value));
  }
  return known;
}
