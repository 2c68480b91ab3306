/** Carries out a request that has a key of its client once: a repetition gets the answer of the first one. */
import { claimRequest, forgetOldRequests, forgetRequest, storeAnswer } from '../db/control/apirequests.js';
import { isOutcomeUnknown } from '../db/error.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

const keptMs = 86_400_000;
const mostKept = 1_000;
/** Larger answers are not kept: their keys are refused from then on. */
const mostAnswerLength = 1_000_000;
/** Members of answers that are shown once. */
const shownOnce = ['secret', 'password', 'link', 'notes'];

export interface KeyedRequest {
  token: string;
  key: string;
  digest: string;
}

/**
 * @param work its result must be a value of JSON.
 * @throws OperationError `refused` when another request has the key, or the first one has no known end: then it may have been
 * carried out, for example before a crash. The errors of `work`, whose key is free again unless the change may be there.
 */
export async function carryOutOnce(
  { control, now }: Pick<Workplace, 'control' | 'now'>,
  { token, key, digest }: KeyedRequest,
  work: () => Promise<unknown>,
): Promise<unknown> {
  const at = now();
  await forgetOldRequests(control.write, token, at - keptMs, mostKept);
  const earlier = await claimRequest(control.write, { token, key, digest, at });
  if (earlier !== null) {
    if (earlier.digest !== digest)
      throw new OperationError('refused', 'another request was sent with this Idempotency-Key: use a new key');
    if (earlier.answer === null)
      throw new OperationError(
        'refused',
        'the first request with this Idempotency-Key has not ended, or was cut off: look whether its change was made before you use a new key',
      );
    return JSON.parse(earlier.answer);
  }
  let result: unknown;
  try {
    result = await work();
  } catch (error) {
    // A COMMIT whose answer got lost may have taken place.
    if (!isOutcomeUnknown(error)) await forgetRequest(control.write, token, key);
    throw error;
  }
  // A secret that is shown once is not kept: a repetition gets null in its place.
  const answer = JSON.stringify(result, (name, value: unknown) => (shownOnce.includes(name) ? null : value));
  if (answer.length <= mostAnswerLength) await storeAnswer(control.write, token, key, answer);
  return result;
}
