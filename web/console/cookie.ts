/** The cookies of the console: of a session, of a sign-in that waits for an answer, and of a browser that has signed in before. */
import { type Address, type Ctx, isTls } from './guard.js';

const kinds = {
  session: { name: 'dropslot', seconds: null },
  /** Of a sign-in at a provider or by a passkey. */
  flow: { name: 'dropslot-flow', seconds: 600 },
  known: { name: 'dropslot-known', seconds: 365 * 86_400 },
  /** The provider at which the person signed in last. */
  provider: { name: 'dropslot-provider', seconds: 365 * 86_400 },
} as const;

export type CookieKind = keyof typeof kinds;

/** With TLS the name itself makes browsers refuse a cookie that another host set. */
function nameOf(kind: CookieKind, address: Address): string {
  return `${isTls(address) ? '__Host-' : ''}${kinds[kind].name}`;
}

/** '': there is none. */
export function readCookie(c: Ctx, address: Address, kind: CookieKind = 'session'): string {
  const name = nameOf(kind, address);
  const pairs = (c.req.header('cookie') ?? '').split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([given]) => given === name)?.[1] ?? '';
}

/** Lax: a link in a mail opens the page; no other site's form gets it. */
export function writeCookie(secret: string, address: Address, kind: CookieKind = 'session'): string {
  const { seconds } = kinds[kind];
  return `${write(secret, address, kind)}${seconds === null ? '' : `; Max-Age=${seconds}`}`;
}

export function clearCookie(address: Address, kind: CookieKind = 'session'): string {
  return `${write('', address, kind)}; Max-Age=0`;
}

function write(secret: string, address: Address, kind: CookieKind): string {
  return `${nameOf(kind, address)}=${secret}; Path=/; HttpOnly; SameSite=Lax${isTls(address) ? '; Secure' : ''}`;
}
