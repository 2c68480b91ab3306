/** Requests to an identity provider: each within a time limit, of a bounded answer, without redirects, and never to an address that the provider must not lead to. */
import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from '../../config/publicaddress.js';
import { createPublicLookup, isPrivateHost, privateAddress } from '../../events/webhook/address.js';
import type { Provider } from './provider.js';

const mostAnswerBytes = 1024 * 1024;

export interface Asked {
  method: string;
  headers: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | undefined;
}

export type IssuerFetch = (url: string, asked: Asked) => Promise<Response>;

export interface IssuerFetchOptions {
  timeLimitMs?: number;
  /** Resolves names; it gives public addresses alone. */
  lookup?: LookupFunction;
}

/** The documents of a provider name the addresses of its endpoints: each is checked like the issuer itself. */
export function createIssuerFetch(
  { allowHttp, allowPrivate }: Pick<Provider, 'allowHttp' | 'allowPrivate'>,
  version: string,
  { timeLimitMs = 10_000, lookup = createPublicLookup() }: IssuerFetchOptions = {},
): IssuerFetch {
  return async (address, { method, headers, body, signal }) => {
    const url = new URL(address);
    if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:'))
      throw new Error(`${url.origin} is not https`);
    if (!allowPrivate && isPrivateHost(url.hostname)) throw refusal();
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const signals = [AbortSignal.timeout(timeLimitMs), ...(signal === undefined ? [] : [signal])];
    const limit = AbortSignal.any(signals);
    const text = body instanceof URLSearchParams || typeof body === 'string' ? String(body) : undefined;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      // A connection of its own: one of another provider may lead to an address that is allowed there alone.
      const options = { method, headers: { ...headers, 'user-agent': `Dropslot/${version}` }, agent: false as const };
      const request = send(url, { ...options, signal: limit, ...(allowPrivate ? {} : { lookup }) }, resolve);
      request.on('error', reject);
      request.on('socket', (socket) => {
        socket.on('connect', () => {
          if (!allowPrivate && !isPublicAddress(socket.remoteAddress ?? '')) socket.destroy(refusal());
        });
      });
      request.end(text);
    });
    const bytes = await readAll(response, url);
    const status = response.statusCode ?? 500;
    const given = Object.entries(response.headers).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' ? [[name, value]] : [],
    );
    return new Response(status === 204 || status === 304 ? null : bytes, { status, headers: given });
  };
}

async function readAll(response: IncomingMessage, { host }: URL): Promise<ArrayBuffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostAnswerBytes) {
      response.destroy();
      throw new Error(`the answer of ${host} is larger than ${mostAnswerBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks)).buffer;
}

function refusal(): Error {
  return Object.assign(new Error('the host has a private address'), { code: privateAddress });
}
