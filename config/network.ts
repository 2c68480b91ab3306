/** Reads the addresses in settings: address ranges (CIDR), the addresses and ports to listen on, and URLs of SFTP servers. */
import { isIP } from 'node:net';

export const policyNames = ['modern', 'compatible'] as const;

/** A named set of SSH algorithms; server/ssh/algorithms.ts lists them. */
export type PolicyName = (typeof policyNames)[number];

export interface Endpoint {
  /** undefined: every address of the machine. */
  host: string | undefined;
  port: number;
  /** undefined: the setting `policy`. */
  policy: PolicyName | undefined;
}

/** `192.0.2.0/24` or `2001:db8::/32`; an address alone is a range of one. null: it is not a range. */
export function readRange(text: string): string | null {
  const [address = '', bits, ...rest] = text.trim().split('/');
  const family = isIP(address);
  const width = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  return family === 0 || rest.length > 0 || prefix < 0 || prefix > width ? null : `${address}/${prefix}`;
}

/** `192.0.2.7:2222`, `[2001:db8::7]:2222`, `*:2222`, each optionally with a policy as in `…:2222/compatible`. null: it is none of these. */
export function readEndpoint(text: string): Endpoint | null {
  const [, bracketed, plain, digits, policy] = /^(?:\[([^\]]+)\]|([^:[\]/]+)):(\d{1,5})(?:\/(\w+))?$/.exec(text) ?? [];
  const port = Number(digits ?? Number.NaN);
  const isKnown = policy === undefined || (policyNames as readonly string[]).includes(policy);
  if (!(port <= 65_535) || !isKnown || (bracketed !== undefined && isIP(bracketed) !== 6)) return null;
  return { host: plain === '*' ? undefined : (bracketed ?? plain), port, policy: policy as PolicyName | undefined };
}

/** `sftp://user@host:22/folder`, without a password. */
export function isSftpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  return protocol === 'sftp:' && hostname !== '' && username !== '' && password + search + hash === '';
}
