/** The form of a route: one row of the table that makes the server, the checks of answers, and the OpenAPI document. */
import { z } from 'zod';
import type { Drops } from '../../operations/drops/drops.js';
import type { ErasureJobs } from '../../operations/people/erasurejobs.js';
import type { Turns } from '../../operations/places.js';
import type { Half } from '../../operations/precondition.js';
import type { ShownSetting } from '../../operations/settings.js';
import type { Token } from '../../operations/tokens.js';
import type { OpenWorkplace, Workplace } from '../../operations/workplace.js';

/** A kind of request; the scope of a token allows some of them. */
export type Right = 'read' | 'operate' | 'admin' | 'people' | 'audit' | 'upload' | 'scim';

export interface Call<Params, Query, Body, Headers = unknown> {
  /** Its `org` knows only the organization of the token, and its actor is the token. */
  workplace: Workplace;
  /** For operations that open a workplace of their own. */
  open: OpenWorkplace;
  token: Token;
  version: string;
  /** Those that the server works by, with their origins. */
  settings: readonly ShownSetting[];
  /** Names of the work that this process bounds. */
  busy: Set<string>;
  /** Turns of the checks of files. */
  checks: Turns;
  /** Erasures of people, which may take longer than a request. */
  erasures: ErasureJobs;
  /** Takes uploads. */
  drops: Drops;
  /** Of the client; null: unknown. */
  address: string | null;
  /** The client has left. */
  signal: AbortSignal;
  params: Params;
  query: Query;
  body: Body;
  headers: Headers;
}

/** An answer with another status than that of its route, or with headers of its own. */
export class Reply {
  constructor(
    readonly value: unknown,
    readonly headers: Readonly<Record<string, string>>,
    readonly status?: 200 | 201 | 202,
  ) {}
}

/** An answer that is no JSON. */
export interface Content {
  content: AsyncIterable<string | Uint8Array>;
  /** Of the download; null: none. */
  fileName: string | null;
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /api/v1, with {names} of the parameters. */
  path: string;
  summary: string;
  right: Right;
  /** Only for tokens of all organizations. */
  isOfServer: boolean;
  params: z.ZodType;
  query: z.ZodType;
  /** Headers that the handler reads, by their names in lower case. */
  headers: z.ZodObject;
  /** null: the request has none. */
  body: z.ZodType | null;
  /** The JSON of the answer; or the media type of a `Content`. */
  answer: z.ZodType | string;
  status: 200 | 201 | 202;
  /** Of a change: gives the answer of the GET whose ETag `If-Match` names; null: the route takes no `If-Match`. */
  current: ((call: Call<never, never, never>) => Promise<unknown>) | null;
  /** The database whose transaction makes the change, and compares once more; null: the change itself says for which state it is. */
  comparesIn: Half | null;
  /** Takes a place before the body is read, and gives it back; null: no place is needed. @throws OperationError `unavailable` */
  admit: ((call: Call<never, never, never>) => Promise<() => void>) | null;
  handle(call: Call<never, never, never>): Promise<unknown>;
}

type Shape = z.ZodObject;
const none = z.strictObject({});

export interface Definition<
  Params extends Shape,
  Query extends Shape,
  Body extends z.ZodType,
  Headers extends Shape = typeof none,
> {
  method: Route['method'];
  path: string;
  summary: string;
  right: Right;
  isOfServer?: boolean;
  params?: Params;
  query?: Query;
  headers?: Headers;
  body?: Body;
  answer: z.ZodType | string;
  status?: Route['status'];
  current?(call: Call<z.infer<Params>, unknown, unknown>): Promise<unknown>;
  comparesIn?: Half;
  admit?(call: Omit<Call<z.infer<Params>, z.infer<Query>, null>, 'body'>): Promise<() => void>;
  handle(call: Call<z.infer<Params>, z.infer<Query>, z.infer<Body>, z.infer<Headers>>): Promise<unknown>;
}

/** Checks that handler and schemas fit, and fills in the defaults. */
export function route<
  Params extends Shape = typeof none,
  Query extends Shape = typeof none,
  Body extends z.ZodType = z.ZodNull,
  Headers extends Shape = typeof none,
>(definition: Definition<Params, Query, Body, Headers>): Route {
  const { isOfServer = false, params = none, query = none, headers = none, body = null } = definition;
  const { status = 200, current = null, comparesIn = null, admit = null } = definition;
  return { ...definition, isOfServer, params, query, headers, body, status, current, comparesIn, admit } as Route;
}
