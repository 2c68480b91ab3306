/** The header Idempotency-Key: a POST that is repeated with it is not carried out again. */
import { createHash, createHmac } from 'node:crypto';
import { carryOutOnce } from '../../operations/apirequests.js';
import type { Token } from '../../operations/tokens.js';
import type { Workplace } from '../../operations/workplace.js';
import { ApiError } from './problem.js';
import { Reply, type Route } from './route.js';

export interface Once {
  /** undefined: the request has no key. */
  header: string | undefined;
  /** The path and the values of the request: a repetition has the same. */
  request: unknown;
  /** Of the token. The database does not have it: so its digests of requests give no password away that a request had. */
  secret: string;
}

/** @throws ApiError `usage`; OperationError `refused`; the errors of `work` */
export async function answerOnce(
  workplace: Workplace,
  { id }: Token,
  { method, path }: Route,
  { header, request, secret }: Once,
  work: () => Promise<unknown>,
): Promise<unknown> {
  if (header === undefined || method !== 'POST') return work();
  if (!/^[\w-]{1,100}$/.test(header))
    throw new ApiError('usage', 'Idempotency-Key has at most 100 letters, digits, - and _');
  const digest = createHmac('sha256', secret)
    .update(JSON.stringify([path, request], hashBytes))
    .digest('hex');
  return revive(await carryOutOnce(workplace, { token: id, key: header, digest }, async () => pack(await work())));
}

/** No answer of a route has this member. */
const packed = '$reply';

/** An answer with its own status and headers, as a value of JSON. */
function pack(answer: unknown): unknown {
  return answer instanceof Reply ? { [packed]: answer } : answer;
}

function revive(answer: unknown): unknown {
  if (answer === null || typeof answer !== 'object' || !(packed in answer)) return answer;
  const { value, headers, status } = answer[packed] as Reply;
  return new Reply(value, headers, status);
}

/** A file has its digest in place of its bytes. */
function hashBytes(this: Record<string, unknown>, name: string, value: unknown): unknown {
  const own = this[name];
  return Buffer.isBuffer(own) ? createHash('sha256').update(own).digest('hex') : value;
}
