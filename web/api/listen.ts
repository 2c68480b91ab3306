/** Listens for HTTP or HTTPS, with bounds of time and number for its clients, and follows changed certificates. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import { isIP } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from '../../config/logger.js';
import { readEndpoint } from '../../config/network.js';
import type { Settings } from '../../config/settings.js';
import { OperationError } from '../../operations/error.js';

export type ApiSettings = Pick<Settings, 'api' | 'apiTlsCert' | 'apiTlsKey' | 'apiAllowHttp'>;

export interface Endpoint {
  /** undefined: every address of the machine. */
  host: string | undefined;
  port: number;
  tls: { cert: string; key: string } | null;
}

/**
 * null: the API is off. @param name of the setting that has the address
 * @throws OperationError `usage` for plain HTTP beyond this machine, or half of a certificate
 */
export function endpointOf(
  { api, apiTlsCert: cert, apiTlsKey: key, apiAllowHttp }: ApiSettings,
  name = 'api',
): Endpoint | null {
  if (api === undefined) return null;
  const { host, port } = readEndpoint(api)!;
  if ((cert === undefined) !== (key === undefined))
    throw new OperationError('usage', 'apiTlsCert and apiTlsKey belong together: set both or none');
  if (cert !== undefined && key !== undefined) return { host, port, tls: { cert, key } };
  if (!isLoopback(host) && apiAllowHttp === 'off')
    throw new OperationError(
      'usage',
      `the setting ${name}=${api} would send tokens and personal data over a network in plaintext: set apiTlsCert and apiTlsKey, or a loopback address such as 127.0.0.1:${port}, or apiAllowHttp=on behind a proxy that ends TLS`,
    );
  return { host, port, tls: null };
}

export function isLoopback(host: string | undefined): boolean {
  if (host === undefined) return false;
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

export interface Listening {
  port: number;
  /** Requests that are at work get `graceMs` to end. */
  stop(graceMs: number): Promise<void>;
}

const mostConnections = 200;
const followEveryMs = 2_000;

/** @throws OperationError `unavailable` when the address is in use, or the certificate is unusable */
export async function listen(
  fetch: Parameters<typeof getRequestListener>[0],
  { host, port, tls }: Endpoint,
  logger: Logger,
): Promise<Listening> {
  // An upload may arrive for an hour; web/api/request.ts bounds the time of other bodies.
  const limits = { requestTimeout: 3_600_000, headersTimeout: 10_000, keepAliveTimeout: 5_000, maxHeaderSize: 16_384 };
  const onRequest = getRequestListener(fetch);
  const pair = tls === null ? null : await readPair(tls);
  const server =
    pair === null
      ? createServer(limits, onRequest)
      : createSecureServer({ ...limits, ...pair, minVersion: 'TLSv1.2', handshakeTimeout: 10_000 }, onRequest);
  server.maxConnections = mostConnections;
  // A client that neither sends nor reads for this time is cut off.
  server.setTimeout(120_000);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new OperationError('unavailable', `the HTTP API can't listen on ${host ?? '*'}:${port}: ${cause.message}`, {
          cause,
        }),
      ),
    );
    server.listen(port, host, resolve);
  });
  const unfollow = tls === null ? () => {} : followPair(server as SecureServer, tls, pair!, logger);
  return { port: (server.address() as { port: number }).port, stop: (graceMs) => stop(server, unfollow, graceMs) };
}

async function stop(server: Server | SecureServer, unfollow: () => void, graceMs: number): Promise<void> {
  unfollow();
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}

interface Pair {
  cert: Buffer;
  key: Buffer;
}

async function readPair({ cert, key }: { cert: string; key: string }): Promise<Pair> {
  try {
    return { cert: await readFile(cert), key: await readFile(key) };
  } catch (cause) {
    throw new OperationError(
      'unavailable',
      `the certificate of the HTTP API can't be read: ${(cause as Error).message}`,
    );
  }
}

/** A pair that is not whole yet, or does not fit, is told once, and the present one is kept. */
function followPair(
  server: SecureServer,
  files: { cert: string; key: string },
  begin: Pair,
  logger: Logger,
): () => void {
  let used = begin;
  let told = '';
  const look = async () => {
    try {
      const pair = await readPair(files);
      if (pair.cert.equals(used.cert) && pair.key.equals(used.key)) return;
      server.setSecureContext({ ...pair, minVersion: 'TLSv1.2' });
      used = pair;
      told = '';
      logger.info('the HTTP API uses the changed certificate');
    } catch (cause) {
      const { message: reason } = cause as Error;
      if (reason !== told) logger.warn('the changed certificate can not be used; the present one is kept', { reason });
      told = reason;
    }
  };
  const timer = setInterval(() => void look(), followEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}
