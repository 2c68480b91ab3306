/** The schemas of SCIM (RFC 7643) with the attributes that Dropslot has: for the discovery, for filters, and for selections. */

export const userUrn = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const groupUrn = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const enterpriseUrn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

export interface Attribute {
  name: string;
  type: 'string' | 'boolean' | 'dateTime' | 'reference' | 'complex';
  multiValued: boolean;
  description: string;
  required: boolean;
  caseExact: boolean;
  /** Everything: nothing is written through SCIM yet. */
  mutability: 'readOnly';
  returned: 'always' | 'default';
  uniqueness: 'none' | 'server';
  referenceTypes?: readonly string[];
  subAttributes?: readonly Attribute[];
}

export interface Schema {
  id: string;
  name: string;
  description: string;
  attributes: readonly Attribute[];
}

type Options = Partial<Omit<Attribute, 'name' | 'description' | 'mutability'>>;

function attribute(name: string, description: string, options: Options = {}): Attribute {
  const usual = { type: 'string', multiValued: false, required: false, caseExact: false } as const;
  return { name, description, ...usual, mutability: 'readOnly', returned: 'default', uniqueness: 'none', ...options };
}

function complex(name: string, description: string, subAttributes: readonly Attribute[], multiValued = false) {
  return attribute(name, description, { type: 'complex', multiValued, subAttributes });
}

const id = { caseExact: true, returned: 'always', uniqueness: 'server', required: true } as const;
const reference = (to: string) => ({ type: 'reference', caseExact: true, referenceTypes: [to] }) as const;

/** Of every resource; they are in no schema (RFC 7643, section 3.1). */
const common: readonly Attribute[] = [
  attribute('schemas', 'URIs of the schemas of the resource', {
    multiValued: true,
    caseExact: true,
    returned: 'always',
  }),
  attribute('id', 'The number in the directory, which never changes', id),
  attribute('externalId', "The value of the organization's identifier column", { caseExact: true }),
  complex('meta', 'Facts about the resource', [
    attribute('resourceType', 'User or Group', { caseExact: true }),
    attribute('created', 'When it was created', { type: 'dateTime' }),
    attribute('lastModified', 'When it was changed last', { type: 'dateTime' }),
    attribute('location', 'Its URI', { caseExact: true }),
    attribute('version', 'Its ETag', { caseExact: true }),
  ]),
];

const user: Schema = {
  id: userUrn,
  name: 'User',
  description: 'User Account',
  attributes: [
    attribute('userName', 'The email address, unique in the organization', { required: true, uniqueness: 'server' }),
    complex('name', 'The parts of the name', [
      attribute('formatted', 'The name as it is shown'),
      attribute('familyName', 'Last name'),
      attribute('givenName', 'First name'),
    ]),
    attribute('displayName', 'The name as it is shown'),
    attribute('title', 'Job title, from a custom field'),
    attribute('userType', 'Account type: Regular or Observer'),
    attribute('active', 'false: deactivated', { type: 'boolean' }),
    complex(
      'emails',
      'The email address',
      [attribute('value', 'The address'), attribute('type', 'work'), attribute('primary', 'true', { type: 'boolean' })],
      true,
    ),
    complex(
      'groups',
      'The teams of the user',
      [
        attribute('value', 'id of the group', { caseExact: true }),
        attribute('$ref', 'URI of the group', reference('Group')),
        attribute('display', 'Name of the team'),
        attribute('type', 'direct'),
      ],
      true,
    ),
    complex(
      'roles',
      'admin: the user is an admin of the organization',
      [attribute('value', 'admin'), attribute('display', 'The role in words')],
      true,
    ),
  ],
};

const enterprise: Schema = {
  id: enterpriseUrn,
  name: 'EnterpriseUser',
  description: 'Enterprise User',
  attributes: [
    attribute('employeeNumber', 'From the identifier column or a custom field'),
    attribute('costCenter', 'From a custom field'),
    attribute('organization', 'From a custom field'),
    attribute('division', 'From a custom field'),
    attribute('department', 'From a custom field'),
    complex('manager', 'The manager', [
      attribute('value', 'id of the user', { caseExact: true }),
      attribute('$ref', 'URI of the user', reference('User')),
      attribute('displayName', 'Name of the manager'),
    ]),
  ],
};

const group: Schema = {
  id: groupUrn,
  name: 'Group',
  description: 'Group',
  attributes: [
    attribute('displayName', 'Name of the team', { required: true }),
    complex(
      'members',
      'Users in the team, deactivated ones too',
      [
        attribute('value', 'id of the user', { caseExact: true }),
        attribute('$ref', 'URI of the user', reference('User')),
        attribute('display', 'Name or address of the user'),
        attribute('type', 'User', { caseExact: true }),
      ],
      true,
    ),
  ],
};

export const schemas: readonly Schema[] = [user, group, enterprise];

export interface ResourceType {
  name: 'User' | 'Group';
  endpoint: '/Users' | '/Groups';
  schema: Schema;
  extensions: readonly Schema[];
}

export const userType: ResourceType = { name: 'User', endpoint: '/Users', schema: user, extensions: [enterprise] };
export const groupType: ResourceType = { name: 'Group', endpoint: '/Groups', schema: group, extensions: [] };
export const resourceTypes = [userType, groupType] as const;

/** The place of an attribute in a resource. */
export interface AttributePath {
  /** null: of the core schema, or common. */
  extension: string | null;
  attribute: Attribute;
  sub: Attribute | null;
}

/** Names compare without regard to case. null: the resource type has no such attribute. */
export function findPath({ schema, extensions }: ResourceType, text: string): AttributePath | null {
  for (const { id: urn, attributes } of extensions) {
    if (text.toLowerCase() === urn.toLowerCase()) return null;
    const rest = afterUrn(text, urn);
    if (rest !== null) return findIn(attributes, rest, urn);
  }
  return findIn([...common, ...schema.attributes], afterUrn(text, schema.id) ?? text, null);
}

function afterUrn(text: string, urn: string): string | null {
  return text.toLowerCase().startsWith(`${urn.toLowerCase()}:`) ? text.slice(urn.length + 1) : null;
}

function findIn(attributes: readonly Attribute[], text: string, extension: string | null): AttributePath | null {
  const [name, subName, ...more] = text.split('.');
  const found = attributes.find((one) => one.name.toLowerCase() === name!.toLowerCase());
  if (found === undefined || more.length > 0) return null;
  if (subName === undefined) return { extension, attribute: found, sub: null };
  const sub = found.subAttributes?.find((one) => one.name.toLowerCase() === subName.toLowerCase());
  return sub === undefined ? null : { extension, attribute: found, sub };
}
