/** Delivers events to a webhook: one signed POST for each event or batch, within a time limit, and without following redirects. */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from '../../config/publicaddress.js';
import type { Batch, Deliverer, Outcome } from '../deliverer.js';
import { createPublicLookup, isPrivateHost, privateAddress } from './address.js';
import { signRequest } from './signature.js';

/** The options of a webhook's row. */
export interface WebhookOptions {
  url: string;
  allowHttp?: boolean;
  allowPrivate?: boolean;
  personal?: boolean;
  /** Most events of users, teams and fields in one request. */
  batch?: number;
}

export interface WebhookDeps {
  /** The secrets of a webhook that are valid now. */
  openSecrets: (sealed: string) => Promise<string[]>;
  now: () => number;
  version: string;
  timeLimitMs?: number;
  /** Resolves names; it gives public addresses alone. */
  lookup?: LookupFunction;
}

const usualTimeLimitMs = 15_000;
/** Waiting for an answer costs little. */
const concurrency = 256;
/** No more of an answer is read, and none of it is kept. */
const mostAnswerBytes = 64 * 1024;

export function createWebhookDeliverer(deps: WebhookDeps): Deliverer {
  return {
    kind: 'webhook',
    concurrency,
    async deliver({ id, body, subscriber }: Batch, stopping: AbortSignal): Promise<Outcome> {
      const text = JSON.stringify(body);
      const secrets = await deps.openSecrets(subscriber.secret!);
      const headers = {
        ...signRequest(id, deps.now(), text, secrets),
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        'user-agent': `Dropslot/${deps.version}`,
      };
      return post(deps, subscriber.options as unknown as WebhookOptions, headers, text, stopping);
    },
  };
}

async function post(
  { now, timeLimitMs = usualTimeLimitMs, lookup = createPublicLookup() }: WebhookDeps,
  { url: address, allowHttp = false, allowPrivate = false }: WebhookOptions,
  headers: Record<string, string | number>,
  body: string,
  stopping: AbortSignal,
): Promise<Outcome> {
  const url = new URL(address);
  if (url.protocol !== 'https:' && !allowHttp) return { result: 'failed', detail: 'the URL is not https' };
  if (!allowPrivate && isPrivateHost(url.hostname)) return { result: 'failed', detail: describe(privateAddress) };
  const limit = AbortSignal.timeout(timeLimitMs);
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  // A connection of its own: one that another webhook opened may lead to a private address that is allowed there alone.
  const options = { method: 'POST', headers, agent: false, signal: AbortSignal.any([stopping, limit]) } as const;
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const request = send(url, { ...options, ...(allowPrivate ? {} : { lookup }) }, resolve);
      request.on('error', reject);
      request.on('socket', (socket) => {
        socket.on('connect', () => {
          if (!allowPrivate && !isPublicAddress(socket.remoteAddress ?? ''))
            socket.destroy(Object.assign(new Error('a private address'), { code: privateAddress }));
        });
      });
      request.end(body);
    });
    await drain(response);
    return judge(response.statusCode ?? 0, response.headers['retry-after'], now());
  } catch (error) {
    if (limit.aborted) return { result: 'failed', detail: `no answer within ${timeLimitMs / 1000} s` };
    return { result: 'failed', detail: describe((error as NodeJS.ErrnoException).code ?? 'ERR') };
  }
}

/** The status alone decides: an answer that is cut off, or too long, is one too. */
async function drain(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length;
      if (bytes > mostAnswerBytes) break;
    }
  } catch {
    // The status line came.
  } finally {
    response.destroy();
  }
}

function judge(status: number, retryAfter: string | undefined, now: number): Outcome {
  const detail = `HTTP ${status}`;
  if (status >= 200 && status < 300) return { result: 'delivered', detail };
  if (status === 410) return { result: 'gone', detail: `${detail}: the receiver wants no more events` };
  if (status >= 300 && status < 400)
    return { result: 'failed', detail: `${detail}: redirects are not followed; add the webhook with its new URL` };
  const retryAfterMs = status === 429 || status === 503 ? readRetryAfter(retryAfter, now) : null;
  return { result: 'failed', detail, ...(retryAfterMs !== null && { retryAfterMs }) };
}

/** Seconds or a date, as in RFC 9110. null: there is none, or it makes no sense. */
export function readRetryAfter(text: string | undefined, now: number): number | null {
  if (text === undefined) return null;
  const isDate = /^[A-Z][a-z]{2,8}, /.test(text);
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : isDate ? Date.parse(text) - now : Number.NaN;
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

const sentences: Record<string, string> = {
  [privateAddress]: 'the host has a private address (allowed by --allow-private)',
  ENOTFOUND: 'the name of the host has no address',
  EAI_AGAIN: 'the name of the host could not be resolved',
  ECONNREFUSED: 'the host refused the connection',
  ECONNRESET: 'the connection was reset',
  ETIMEDOUT: 'the connection could not be made in time',
};

/** A sentence for the delivery log; without the address of the host, and without its answer. */
function describe(code: string): string {
  return sentences[code] ?? `the request failed (${code})`;
}
