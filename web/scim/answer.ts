/** Writes answers of SCIM: resources with their ETags, lists, and errors (RFC 7644, sections 3.4.2, 3.12 and 3.14). */
import type { FoundPage } from '../../operations/scim/scim.js';
import { hasTag } from '../api/answer.js';
import type { Ctx } from '../api/gate.js';

const mediaType = 'application/scim+json; charset=utf-8';
const messages = 'urn:ietf:params:scim:api:messages:2.0';

type Json = Record<string, unknown>;

/** Status 304 where `If-None-Match` has the version of the resource. */
export function answerScim(c: Ctx, value: Json): Response {
  const { version, location } = (value.meta ?? {}) as { version?: string; location?: string };
  const headers: Record<string, string> = {
    'content-type': mediaType,
    ...(version !== undefined && { etag: version }),
    ...(version !== undefined && location !== undefined && { 'content-location': location }),
  };
  // Versions are weak: they compare without their mark.
  if (version !== undefined && hasTag(c.req.header('if-none-match'), version.replace(/^W\//, '')))
    return new Response(null, { status: 304, headers: { etag: version } });
  return new Response(JSON.stringify(value), { headers });
}

export function listAnswer({ total, startIndex, resources }: FoundPage): Json {
  return {
    schemas: [`${messages}:ListResponse`],
    totalResults: total,
    itemsPerPage: resources.length,
    startIndex,
    ...(resources.length > 0 && { Resources: resources }),
  };
}

export function answerScimError(
  status: number,
  detail: string,
  scimType: string | null,
  headers: Readonly<Record<string, string>>,
): Response {
  const error = {
    schemas: [`${messages}:Error`],
    ...(scimType !== null && { scimType }),
    detail,
    status: String(status),
  };
  return new Response(JSON.stringify(error), { status, headers: { ...headers, 'content-type': mediaType } });
}
