/** The discovery of SCIM (RFC 7644, section 4): what the server does, its resource types and their schemas. */
import type { Resource } from './match.js';
import { type Attribute, type ResourceType, resourceTypes, type Schema, schemas } from './schemas.js';

const urn = 'urn:ietf:params:scim:schemas:core:2.0';

export const mostResults = 500;

/** @param base URI of the organization's SCIM resources, without a slash at its end */
export function describeProvider(base: string): Resource {
  const none = { supported: false };
  return {
    schemas: [`${urn}:ServiceProviderConfig`],
    patch: none,
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: mostResults },
    changePassword: none,
    sort: none,
    etag: { supported: true },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'Bearer token',
        description: 'An access token of "dropslot tokens add"',
        specUri: 'https://www.rfc-editor.org/info/rfc6750',
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
  };
}

export function listResourceTypes(base: string): Resource[] {
  return resourceTypes.map((type) => describeType(type, base));
}

export function listSchemas(base: string): Resource[] {
  return schemas.map((schema) => describeSchema(schema, base));
}

function describeType({ name, endpoint, schema, extensions }: ResourceType, base: string): Resource {
  return {
    schemas: [`${urn}:ResourceType`],
    id: name,
    name,
    endpoint,
    description: schema.description,
    schema: schema.id,
    ...(extensions.length > 0 && { schemaExtensions: extensions.map(({ id }) => ({ schema: id, required: false })) }),
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  };
}

function describeSchema({ id, name, description, attributes }: Schema, base: string): Resource {
  return {
    schemas: [`${urn}:Schema`],
    id,
    name,
    description,
    attributes: attributes.map(describeAttribute),
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${id}` },
  };
}

function describeAttribute({ subAttributes, ...attribute }: Attribute): Resource {
  return { ...attribute, ...(subAttributes && { subAttributes: subAttributes.map(describeAttribute) }) };
}
