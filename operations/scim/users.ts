/** Users as resources of SCIM (RFC 7643, section 4.1), found by a filter, page by page. */
import type { Queryable } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { listFields } from '../../db/directory/fields.js';
import {
  countScimUsers,
  listScimUsers,
  listTeamsOf,
  nameOf,
  type ScimMembership,
  type ScimUserFilter,
  type ScimUserRow,
  type TextPiece,
} from '../../db/directory/scimusers.js';
import { emailKey, labelKey } from '../../importer/read/normalize.js';
import { ScimError } from './error.js';
import { necessary, type Resource } from './match.js';
import { enterpriseUrn, userUrn } from './schemas.js';
import { groupBy, readId, readSince, type Search, type Source } from './search.js';

/** The custom fields that attributes are read from: the first one that the organization has. */
const labels = {
  title: ['Job Title', 'Title', 'Position', 'Job'],
  employeeNumber: ['Employee Number', 'Employee ID', 'Employee No', 'Personnel Number', 'Worker ID', 'Person Number'],
  costCenter: ['Cost Center', 'Cost Centre', 'CostCenter'],
  organization: ['Organization', 'Organisation', 'Company', 'Legal Entity'],
  division: ['Division', 'Business Unit'],
  department: ['Department', 'Dept', 'Department Name'],
} as const;

/** Of all users of an answer, which is built in memory. A list that ends early would look as if the users had left the others. */
const mostGroups = 20_000;

/** The id of the field of each attribute that has one. */
type Mapping = Partial<Record<keyof typeof labels | 'externalId', string>>;

/** @param base URI of the organization's SCIM resources, without a slash at its end */
export async function openUsers(db: Queryable, org: Org, base: string): Promise<Source<ScimUserRow>> {
  const mapping = await mapFields(db, org);
  return {
    list: (filter, page) => listScimUsers(db, org.id, narrow(filter, mapping), page),
    count: (filter) => countScimUsers(db, org.id, narrow(filter, mapping)),
    keyOf: ({ emailKey: key }) => key,
    toResources: async (rows, needs) => {
      const teams = needs('groups') ? await teamsByUser(db, rows) : null;
      return rows.map((row) => toResource(row, teams?.get(row.id) ?? null, mapping, base));
    },
  };
}

async function mapFields(db: Queryable, org: Org): Promise<Mapping> {
  const fields = await listFields(db, org.id);
  const find = (wanted: readonly string[]) => {
    for (const key of wanted.map(labelKey)) {
      const found = fields.find(({ label, aliases }) => labelKey(label) === key || aliases.includes(key));
      if (found !== undefined) return found.id;
    }
    return undefined;
  };
  const { identifier } = org.options;
  const externalId = identifier === undefined ? undefined : find([identifier]);
  const found = Object.entries(labels).map(([name, wanted]) => [name, find(wanted)] as const);
  const mapping = Object.fromEntries(found.filter(([, id]) => id !== undefined)) as Mapping;
  const employeeNumber = mapping.employeeNumber ?? externalId;
  return {
    ...mapping,
    ...(externalId !== undefined && { externalId }),
    ...(employeeNumber !== undefined && { employeeNumber }),
  };
}

function toResource(row: ScimUserRow, teams: ScimMembership[] | null, mapping: Mapping, base: string): Resource {
  const { id, email, firstName, lastName, isActive, isAdmin, accountType, manager } = row;
  const displayName = nameOf(row.userName, firstName, lastName);
  const custom = (name: keyof Mapping) => {
    const field = mapping[name];
    return field === undefined ? undefined : row.custom[field];
  };
  const enterprise = present({
    employeeNumber: custom('employeeNumber'),
    costCenter: custom('costCenter'),
    organization: custom('organization'),
    division: custom('division'),
    department: custom('department'),
    manager:
      manager === null
        ? undefined
        : {
            value: String(manager.id),
            $ref: `${base}/Users/${manager.id}`,
            displayName: manager.name ?? manager.email,
          },
  });
  const name = present({
    formatted: displayName ?? undefined,
    familyName: lastName ?? undefined,
    givenName: firstName ?? undefined,
  });
  const groups = teams?.map(({ teamId, name: display }) => {
    return { value: String(teamId), $ref: `${base}/Groups/${teamId}`, display, type: 'direct' };
  });
  const hasEnterprise = Object.keys(enterprise).length > 0;
  return present({
    schemas: hasEnterprise ? [userUrn, enterpriseUrn] : [userUrn],
    id: String(id),
    externalId: custom('externalId'),
    userName: email,
    name: Object.keys(name).length === 0 ? undefined : name,
    displayName: displayName ?? undefined,
    title: custom('title'),
    userType: accountType,
    active: isActive,
    emails: [{ value: email, type: 'work', primary: true }],
    groups: groups === undefined || groups.length === 0 ? undefined : groups,
    roles: isAdmin ? [{ value: 'admin', display: 'Organization admin' }] : undefined,
    [enterpriseUrn]: hasEnterprise ? enterprise : undefined,
    meta: {
      resourceType: 'User',
      created: new Date(row.createdAt).toISOString(),
      lastModified: new Date(row.updatedAt).toISOString(),
      location: `${base}/Users/${id}`,
    },
  });
}

/** Without the members that have no value (RFC 7643, section 2.5). */
function present(values: Record<string, unknown>): Resource {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''));
}

/** @throws ScimError `tooMany` */
async function teamsByUser(db: Queryable, rows: readonly ScimUserRow[]): Promise<Map<number, ScimMembership[]>> {
  if (rows.length === 0) return new Map();
  const ids = rows.map(({ id }) => id);
  const found = await listTeamsOf(db, ids, mostGroups + 1);
  if (found.length > mostGroups)
    throw new ScimError(
      400,
      'tooMany',
      `the answer would have more than ${mostGroups} groups of users: ask for fewer users at a time, or with excludedAttributes=groups, and for the groups of a user with Groups?filter=members.value eq "${ids[0]}", page by page`,
    );
  return groupBy(found, ({ userId }) => userId);
}

/** The part of a search that the database decides. */
function narrow({ id, filter }: Pick<Search, 'id' | 'filter'>, mapping: Mapping): ScimUserFilter {
  const known: ScimUserFilter = id === null ? {} : { id };
  const pieces: TextPiece[] = [];
  for (const { name, operator, value } of necessary(filter)) {
    const of = textOf(name, mapping);
    const hasPiece = typeof value === 'string' && ['co', 'sw', 'ew', 'eq'].includes(operator);
    if (of !== null && hasPiece && /^[\x20-\x7e]+$/.test(value) && value.length <= mostPiece)
      pieces.push({ of, piece: value });
    if (name === 'meta.lastModified' && operator === 'gt') known.updatedAfter ??= readSince(operator, value);
    else if (name === 'meta.lastModified') known.updatedSince ??= readSince(operator, value);
    if (operator !== 'eq' || value === null) continue;
    if (name === 'id') known.id ??= readId(String(value));
    if (name === 'userName' || name === 'emails.value') known.emailKey ??= emailKey(String(value));
    if (name === 'active') known.isActive ??= String(value).toLowerCase() === 'true';
    if (name === 'groups.value') known.team ??= readId(String(value));
  }
  return { ...known, ...(pieces.length > 0 && { pieces }) };
}

/** Of a search in the database. */
const mostPiece = 200;

/** Where the text of an attribute is from; null: the database is not asked for it. */
function textOf(name: string, mapping: Mapping): TextPiece['of'] | null {
  if (name === 'title' || name === 'externalId') return mapping[name] === undefined ? null : { field: mapping[name] };
  return texts.get(name) ?? null;
}

const texts = new Map<string, TextPiece['of']>([
  ['userName', 'email'],
  ['emails.value', 'email'],
  ['displayName', 'name'],
  ['name.formatted', 'name'],
  ['name.givenName', 'firstName'],
  ['name.familyName', 'lastName'],
]);
