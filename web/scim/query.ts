/** Reads the parameters of a search: of a query (RFC 7644, section 3.4.2), or of the body of `.search` (section 3.4.3). */
import { z } from 'zod';
import { ScimError } from '../../operations/scim/error.js';
import type { ScimQuery } from '../../operations/scim/scim.js';
import type { Ctx } from '../api/gate.js';
import { readJsonBody } from '../api/request.js';

const names = z.array(z.string().max(200)).max(100);

/** Other members, such as sortBy, are not ours: they are left out. */
const body = z.object({
  filter: z.string().optional(),
  attributes: names.optional(),
  excludedAttributes: names.optional(),
  startIndex: z.int().optional(),
  count: z.int().optional(),
});

/** Parameters that are not known are left out. @throws ScimError `invalidValue` */
export function readQuery(c: Ctx): ScimQuery {
  const list = (text: string | undefined) => (text ?? '').split(',').filter((name) => name.trim() !== '');
  return {
    filter: c.req.query('filter'),
    attributes: list(c.req.query('attributes')),
    excludedAttributes: list(c.req.query('excludedAttributes')),
    startIndex: readNumber('startIndex', c.req.query('startIndex')),
    count: readNumber('count', c.req.query('count')),
  };
}

/** @throws ScimError `invalidValue`; ApiError */
export async function readSearchRequest(c: Ctx): Promise<ScimQuery> {
  const read = body.safeParse(await readJsonBody(c));
  if (read.success) return read.data;
  const { path, message } = read.error.issues[0]!;
  throw new ScimError(400, 'invalidValue', `${path.join('.')}: ${message}`);
}

function readNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^-?\d{1,9}$/.test(text.trim())) throw new ScimError(400, 'invalidValue', `${name} must be a whole number`);
  return Number(text);
}
