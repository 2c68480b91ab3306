/** Which requests are the console's own: forms of other sites are refused, and the address of a client is found. */
import { isIP } from 'node:net';
import type { Context } from 'hono';
import { isLoopback } from '../api/listen.js';

export interface Address {
  /** Of browsers: the setting consoleUrl, else null: the address that the browser used, which is a loopback one. */
  url: string | null;
  /** Whether this process ends TLS. */
  isSecure: boolean;
}

export interface Env {
  Bindings: { incoming?: { socket: { remoteAddress?: string } }; outgoing?: { destroy(): unknown } };
  Variables: { requestId: string; who: string | null };
}

export type Ctx = Context<Env>;

/** `https://hr-files.example`, where the browser is now. */
export function originOf(c: Ctx, { url, isSecure }: Address): string {
  return url ?? `${isSecure ? 'https' : 'http'}://${c.req.header('host') ?? 'localhost'}`;
}

/**
 * Whether a form was sent from a page of the console. Every browser names its origin with a POST; a request without any
 * such header is of no browser, and has no business here.
 */
export function isOwnForm(c: Ctx, address: Address): boolean {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  if (site !== undefined && site !== 'same-origin') return false;
  if (!isOwnAddress(c, address)) return false;
  if (origin !== undefined) return origin.toLowerCase() === originOf(c, address).toLowerCase();
  return site !== undefined;
}

/** A name of another site that was made to lead here is no address of the console. */
export function isOwnAddress(c: Ctx, address: Address): boolean {
  return address.url !== null || isLocal(originOf(c, address));
}

function isLocal(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  return isLoopback(new URL(origin).hostname.replace(/^\[|\]$/g, ''));
}

/** Of the browser, for limits and records. A proxy on this machine that ends TLS names it in its own last entry. */
export function clientAddress(c: Ctx, { url, isSecure }: Address): string | null {
  const peer = c.env?.incoming?.socket.remoteAddress?.replace(/^::ffff:/, '') ?? null;
  const isProxy = isLoopback(peer ?? undefined) && !isSecure && url?.startsWith('https:') === true;
  if (!isProxy) return peer;
  const named = (c.req.header('x-forwarded-for') ?? '').split(',').at(-1)!.trim();
  return isIP(named) > 0 ? named : peer;
}

/** Whether browsers come by TLS. */
export function isTls({ url, isSecure }: Address): boolean {
  return isSecure || url?.startsWith('https:') === true;
}

const mostPathLength = 2_000;

/** A path of the console to go on at; anything else is the start page. */
export function safePath(given: string | undefined): string {
  return given !== undefined &&
    given.length <= mostPathLength &&
    /^\/(?![/\\])[\x21-\x7e]*$/.test(given) &&
    !given.includes('\\')
    ? given
    : '/';
}
