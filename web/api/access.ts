/** Who asks: recognizes the token of a request, and gives the workplace that it may work at. */
import type { Token, TokenScope } from '../../operations/tokens.js';
import { noOrganization, type Workplace } from '../../operations/workplace.js';
import { ApiError } from './problem.js';
import type { Right, Route } from './route.js';

/** The rights of each scope. */
export const rights: Readonly<Record<TokenScope, readonly Right[]>> = {
  read: ['read', 'scim'],
  operate: ['read', 'scim', 'operate', 'upload'],
  admin: ['read', 'scim', 'operate', 'admin', 'audit', 'upload'],
  owner: ['read', 'scim', 'operate', 'admin', 'audit', 'upload', 'people'],
  audit: ['audit'],
  upload: ['upload'],
  scim: ['scim'],
};

/** The token of `Authorization: Bearer dst_…`; null: there is none. */
export function readBearer(header: string | undefined): string | null {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? null;
}

/** @throws ApiError `forbidden` */
export function requireRight({ scope, org }: Token, { right, isOfServer }: Pick<Route, 'right' | 'isOfServer'>): void {
  if (!rights[scope].includes(right))
    throw new ApiError('forbidden', `this needs the right "${right}", which the scope "${scope}" does not have`);
  if (isOfServer && org !== null)
    throw new ApiError('forbidden', 'this is for tokens of all organizations, and the token is for one');
}

/** A token makes none that may do more than itself. @throws ApiError `forbidden` */
export function requireNoMore({ scope: own }: Pick<Token, 'scope'>, scope: TokenScope): void {
  if (!rights[scope].every((right) => rights[own].includes(right)))
    throw new ApiError('forbidden', `a token of the scope "${own}" makes none of the scope "${scope}"`);
}

/**
 * Its `org` finds the organization of the token alone: for a token of one, another one looks as if it did not exist. Operations
 * that get another id than that of an organization, such as of a run, do not ask it: their routes compare the owner.
 */
export function workplaceFor(workplace: Workplace, { id, org: own }: Token): Workplace {
  const org: Workplace['org'] = async (wanted) => {
    if (own !== null && wanted !== own) throw noOrganization(wanted);
    return workplace.org(wanted);
  };
  return { ...workplace, actor: `token:${id}`, isOfOrg: own !== null, org };
}
