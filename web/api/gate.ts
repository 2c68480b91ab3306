/** Admits requests: their token, its rights, and the rate of requests of each token and of each address without one. */
import type { Context } from 'hono';
import { isTokenUsable, recognizeToken, type Token } from '../../operations/tokens.js';
import type { Workplace } from '../../operations/workplace.js';
import { readBearer, requireRight } from './access.js';
import { Limiter } from './limiter.js';
import { ApiError } from './problem.js';
import type { Route } from './route.js';

/** Requests without a usable token that one address may make in a minute. */
const strangersPerMinute = 60;

export interface Env {
  Bindings: { incoming?: { socket: { remoteAddress?: string } }; outgoing?: { destroy(): unknown } };
  Variables: { requestId: string; token: string | null };
}

export type Ctx = Context<Env>;

/** One for each listener. @throws ApiError `unauthorized`, `too_many`, `forbidden` */
export type Gate = (c: Ctx, wanted: Pick<Route, 'right' | 'isOfServer'>) => Promise<Token>;

/** @param clock in ms, and never going back */
export function createGate(workplace: Workplace, clock: () => number): Gate {
  const tokens = new Limiter(workplace.settings.apiRequestsPerMinute, clock);
  const addresses = new Limiter(strangersPerMinute, clock);
  return async (c, wanted) => {
    const address = addressOf(c);
    const secret = readBearer(c.req.header('authorization'));
    const token = secret === null ? null : await recognizeToken(workplace, secret, address);
    // A usable token is not bound by its address, which many may share behind a proxy.
    const wait = token === null ? addresses.take(address ?? '') : tokens.take(token.id);
    if (wait > 0)
      throw new ApiError('too_many', `too many requests: wait for ${wait} s`, undefined, {
        'retry-after': String(wait),
      });
    if (token === null) throw unauthorized();
    c.set('token', token.id);
    requireRight(token, wanted);
    return token;
  };
}

/** After the body, which may take a minute to arrive: a token that was revoked meanwhile does nothing any more. @throws ApiError `unauthorized` */
export async function requireUsable({ control, now }: Workplace, { id }: Token): Promise<void> {
  if (!(await isTokenUsable(control.read, id, now()))) throw unauthorized();
}

function unauthorized(): ApiError {
  return new ApiError(
    'unauthorized',
    'send "Authorization: Bearer dst_…" with a token of "dropslot tokens add" that is neither revoked nor expired',
    undefined,
    { 'www-authenticate': 'Bearer realm="dropslot"' },
  );
}

/** null: not known. */
export function addressOf(c: Ctx): string | null {
  return c.env?.incoming?.socket.remoteAddress ?? null;
}
