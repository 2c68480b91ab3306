/** The form of a route: one row of the table that makes the server, the checks of answers, and the OpenAPI document. */
import { z } from 'zod';
import type { Token } from '../../operations/tokens.js';
import type { OpenWorkplace, Workplace } from '../../operations/workplace.js';

/** A kind of request; the scope of a token allows some of them. */
export type Right = 'read' | 'operate' | 'admin' | 'audit';

export interface Call<Params, Query, Body> {
  /** Its `org` knows only the organization of the token, and its actor is the token. */
  workplace: Workplace;
  /** For operations that open a workplace of their own. */
  open: OpenWorkplace;
  token: Token;
  version: string;
  /** Names of the work that this process does one at a time. */
  busy: Set<string>;
  params: Params;
  query: Query;
  body: Body;
}

/** An answer that is no JSON. */
export interface Content {
  content: AsyncIterable<string | Uint8Array>;
  /** Of the download; null: none. */
  fileName: string | null;
}

export interface Route {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Below /api/v1, with {names} of the parameters. */
  path: string;
  summary: string;
  right: Right;
  /** Only for tokens of all organizations. */
  isOfServer: boolean;
  params: z.ZodType;
  query: z.ZodType;
  /** null: the request has none. */
  body: z.ZodType | null;
  /** The JSON of the answer; or the media type of a `Content`. */
  answer: z.ZodType | string;
  status: 200 | 201 | 202;
  /** Of a change: gives the answer of the GET whose ETag `If-Match` names; null: the route takes no `If-Match`. */
  current: ((call: Call<never, never, never>) => Promise<unknown>) | null;
  handle(call: Call<never, never, never>): Promise<unknown>;
}

type Shape = z.ZodObject;
const none = z.strictObject({});

export interface Definition<Params extends Shape, Query extends Shape, Body extends z.ZodType> {
  method: Route['method'];
  path: string;
  summary: string;
  right: Right;
  isOfServer?: boolean;
  params?: Params;
  query?: Query;
  body?: Body;
  answer: z.ZodType | string;
  status?: Route['status'];
  current?(call: Call<z.infer<Params>, unknown, unknown>): Promise<unknown>;
  handle(call: Call<z.infer<Params>, z.infer<Query>, z.infer<Body>>): Promise<unknown>;
}

/** Checks that handler and schemas fit, and fills in the defaults. */
export function route<
  Params extends Shape = typeof none,
  Query extends Shape = typeof none,
  Body extends z.ZodType = z.ZodNull,
>(definition: Definition<Params, Query, Body>): Route {
  const { isOfServer = false, params = none, query = none, body = null, status = 200, current = null } = definition;
  return { ...definition, isOfServer, params, query, body, status, current } as Route;
}
