/** SCIM of an organization (RFC 7643, 7644), to be read: its users and groups, one by one or by a search. */
import { type Shares, takeShare } from '../places.js';
import type { Workplace } from '../workplace.js';
import { mostResults } from './discovery.js';
import { ScimError } from './error.js';
import { parseFilter } from './filter.js';
import { openGroups } from './groups.js';
import type { Resource } from './match.js';
import { groupType, type ResourceType, userType } from './schemas.js';
import { type Found, findOne, readId, type Search, type Source, search } from './search.js';
import { readSelection } from './selection.js';
import { openUsers } from './users.js';

export interface ScimQuery {
  filter?: string | undefined;
  attributes?: readonly string[] | undefined;
  excludedAttributes?: readonly string[] | undefined;
  /** From 1 on; less is 1. */
  startIndex?: number | undefined;
  /** Less than 0 is 0; at most 500. */
  count?: number | undefined;
}

export interface FoundPage extends Found {
  startIndex: number;
}

export type Endpoint = 'Users' | 'Groups';

const types: Readonly<Record<Endpoint, ResourceType>> = { Users: userType, Groups: groupType };
const usualCount = 100;
const longestMs = 50_000;
/** Long searches, which read many rows of a directory, at a time. */
export const longSearches: Shares = { most: 2, mostOfOrg: 1 };

/** @param base URI of the organization's SCIM resources @param busy names of the work that this process bounds. @throws ScimError; OperationError `not_found` */
export async function searchScim(
  workplace: Workplace,
  { org: orgId, endpoint, base }: { org: string; endpoint: Endpoint; base: string },
  query: ScimQuery,
  busy: Set<string>,
): Promise<FoundPage> {
  const type = types[endpoint];
  const startIndex = Math.max(1, query.startIndex ?? 1);
  const wanted: Search = {
    id: null,
    filter: query.filter === undefined ? null : parseFilter(query.filter, type),
    selection: readSelection(type, query.attributes ?? [], query.excludedAttributes ?? []),
    startIndex,
    count: Math.min(mostResults, Math.max(0, query.count ?? usualCount)),
  };
  const source = await openSource(workplace, orgId, endpoint, base);
  const signal = AbortSignal.timeout(longestMs);
  let leave: (() => void) | null = null;
  const onLong = () => {
    leave = takeShare(busy, 'scim search', orgId, longSearches);
    if (leave === null) throw new ScimError(429, null, 'other long searches are at work: try it again in some seconds');
  };
  try {
    return { ...(await search(source, wanted, { signal, onLong })), startIndex };
  } finally {
    (leave as (() => void) | null)?.();
  }
}

/** @throws ScimError 404; OperationError `not_found` */
export async function findScim(
  workplace: Workplace,
  { org, endpoint, base }: { org: string; endpoint: Endpoint; base: string },
  id: string,
  { attributes = [], excludedAttributes = [] }: ScimQuery,
): Promise<Resource> {
  const selection = readSelection(types[endpoint], attributes, excludedAttributes);
  const source = await openSource(workplace, org, endpoint, base);
  const found = await findOne(source, readId(id), selection);
  if (found === null) throw new ScimError(404, null, `there is no ${types[endpoint].name} ${id.slice(0, 100)}`);
  return found;
}

async function openSource(
  workplace: Workplace,
  orgId: string,
  endpoint: Endpoint,
  base: string,
): Promise<Source<unknown>> {
  const org = await workplace.org(orgId);
  const db = workplace.directory.read;
  return (endpoint === 'Users' ? await openUsers(db, org, base) : openGroups(db, org, base)) as Source<unknown>;
}
