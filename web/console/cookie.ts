/** The cookie of a session. */
import { type Address, type Ctx, isTls } from './guard.js';

/** With TLS the name itself makes browsers refuse a cookie that another host set. */
function nameOf(address: Address): string {
  return isTls(address) ? '__Host-dropslot' : 'dropslot';
}

/** '': there is none. */
export function readCookie(c: Ctx, address: Address): string {
  const name = nameOf(address);
  const pairs = (c.req.header('cookie') ?? '').split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([given]) => given === name)?.[1] ?? '';
}

/** Lax: a link in a mail opens the page; no other site's form gets it. */
export function writeCookie(secret: string, address: Address): string {
  return `${nameOf(address)}=${secret}; Path=/; HttpOnly; SameSite=Lax${isTls(address) ? '; Secure' : ''}`;
}

export function clearCookie(address: Address): string {
  return `${writeCookie('', address)}; Max-Age=0`;
}
