/** The header If-Match: compared before a change, and again in its transaction, so that of two requests with one ETag one is refused. */
import { onlyWhile } from '../../operations/precondition.js';
import type { Workplace } from '../../operations/workplace.js';
import { etagOf, hasTag } from './answer.js';
import { ApiError } from './problem.js';
import type { Call, Route } from './route.js';

type AnyCall = Call<never, never, never>;

/** The call to carry out. @throws ApiError `changed`; `usage` where a change has no state to compare with */
export async function requireMatch(header: string | undefined, route: Route, call: AnyCall): Promise<AnyCall> {
  const { method, current, comparesIn } = route;
  if (header === undefined || method === 'GET') return call;
  if (current === null) throw new ApiError('usage', 'this request takes no If-Match');
  const compare = async (workplace: Workplace) => {
    if (!hasTag(header, etagOf(await current({ ...call, workplace }))))
      throw new ApiError('changed', 'it has changed since the ETag of If-Match: get it again');
  };
  await compare(call.workplace);
  if (comparesIn === null) return call;
  const { org } = call.params as { org: string };
  return { ...call, workplace: onlyWhile(call.workplace, comparesIn, org, compare) };
}
