/** Errors as problem+json (RFC 9457), with the codes of the command line and those that only HTTP has. */
import type { z } from 'zod';
import { describeFailure, type FailureCode } from '../../operations/failure.js';

export type ProblemCode =
  | FailureCode
  /** No usable token. */
  | 'unauthorized'
  /** The token's scope, or its organization, does not allow it. */
  | 'forbidden'
  | 'method_not_allowed'
  /** `If-Match` names another state than the present one. */
  | 'changed'
  | 'too_large'
  | 'unsupported'
  | 'too_many'
  /** An upload: the quota or the disk. */
  | 'no_room'
  | 'wrong_offset'
  | 'wrong_digest'
  | 'too_slow';

/** The status and the title of each code. */
const problems: Readonly<Record<ProblemCode, readonly [status: number, title: string]>> = {
  usage: [400, 'The request is wrong'],
  unauthorized: [401, 'No valid access token'],
  forbidden: [403, 'The token does not allow this'],
  not_found: [404, 'Not found'],
  method_not_allowed: [405, 'The path has no such method'],
  refused: [409, 'Refused in the present state'],
  changed: [412, 'Changed meanwhile'],
  wrong_offset: [409, 'The range begins elsewhere'],
  wrong_digest: [422, 'Other bytes than those of the digest'],
  too_large: [413, 'The body is too large'],
  unsupported: [415, 'The body has another type'],
  failed: [422, 'The operation failed'],
  too_many: [429, 'Too many requests'],
  internal: [500, 'A defect of Dropslot'],
  unavailable: [503, 'Not available now'],
  too_slow: [503, 'It took too long'],
  no_room: [507, 'No room for it'],
};

export const problemCodes = Object.keys(problems) as ProblemCode[];

export function statusOf(code: ProblemCode): number {
  return problems[code][0];
}

export class ApiError extends Error {
  override name = 'ApiError';
  constructor(
    readonly code: ProblemCode,
    message: string,
    readonly errors?: readonly FieldError[],
    /** Of the answer. */
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export interface FieldError {
  /** Of the value: `query.limit`. */
  path: string;
  message: string;
}

export interface Problem {
  type: 'about:blank';
  title: string;
  status: number;
  detail: string;
  code: ProblemCode;
  /** In the server's log too. */
  requestId: string;
  errors?: readonly FieldError[];
}

export interface Trouble {
  problem: Problem;
  /** For the log: of `internal` alone. */
  stack: string | null;
}

/** The answer to an error of any folder. */
export function describeTrouble(error: unknown, requestId: string): Trouble {
  const failure =
    error instanceof ApiError ? { ...error, message: error.message, stack: null } : describeFailure(error);
  const { code, message, stack } = failure;
  const [status, title] = problems[code];
  const errors = error instanceof ApiError ? error.errors : undefined;
  const detail = code === 'internal' ? 'The server log has the details, under the id of this request.' : message;
  return { problem: { type: 'about:blank', title, status, detail, code, requestId, ...(errors && { errors }) }, stack };
}

/** A request that does not fit its schema. @param part `path`, `query` or `body` */
export function misfit(part: string, { issues }: z.ZodError): ApiError {
  const errors = issues.slice(0, 20).map(({ path, message }) => ({
    path: [part, ...path].join('.'),
    message: toWords(message),
  }));
  const [first] = errors;
  return new ApiError('usage', `${first!.path}: ${first!.message}`, errors);
}

/** Of the schema library: "Invalid input: expected string, received undefined". */
function toWords(message: string): string {
  const [, expected, received] = /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? [];
  if (expected === undefined) return message;
  const type = expected === 'record' ? 'object' : expected;
  return received === 'undefined' ? `is missing (type: ${type})` : `must have the type ${type}, not ${received}`;
}
