/** Reads the PROXY protocol (haproxy, proxy-protocol.txt, versions 1 and 2): a proxy's first bytes name its client's address. */
import { isIP, type Socket } from 'node:net';
import type { Logger } from '../../config/logger.js';
import type { LogLimiter } from './loglimiter.js';

/** `address`: the proxy's client; null: a connection of the proxy itself (a health check). */
export interface ProxyHeader {
  address: string | null;
  /** Bytes that the header takes. */
  length: number;
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

interface Warnings {
  logger: Logger;
  logLimiter: LogLimiter;
}

const unlisted = 'connection refused: a PROXY protocol header from an address that the setting proxies does not list';

/** The specification's longest line of version 1, its end included. */
const longestLine = 107;

/** Addresses and extensions of version 2; proxies send a tenth of it. */
const longestRest = 2048;

/** null: more bytes are needed. 'malformed': it is no header, or one that is broken. */
export function parseProxyHeader(received: Buffer): ProxyHeader | 'malformed' | null {
  const start = received.subarray(0, signature.length);
  if (start.equals(signature.subarray(0, start.length))) return parseBinary(received);
  const word = received.subarray(0, 6).toString('latin1');
  return 'PROXY '.startsWith(word) || word === 'PROXY ' ? parseLine(received) : 'malformed';
}

/** Logs a warning when a connection that may not send a header began with one: the setting `proxies` may lack its address. */
export function warnOfUnlistedProxy(received: Buffer, address: string, { logger, logLimiter }: Warnings): void {
  const isHeader = received.subarray(0, 6).equals(Buffer.from('PROXY ')) || received.subarray(0, 12).equals(signature);
  if (isHeader && logLimiter.allows(unlisted)) logger.warn(unlisted, { address });
}

/** Why there is no header: the bytes are none, or broken; none came in time; the connection ended before. */
export type NoHeader = 'malformed' | 'late' | 'gone';

/** Reads the header from the socket and puts the bytes behind it back. */
export function readProxyHeader(socket: Socket, deadlineMs: number): Promise<ProxyHeader | NoHeader> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0);
    const finish = (header: ProxyHeader | NoHeader): void => {
      clearTimeout(timer);
      socket.pause();
      socket.off('data', onData).off('close', onGone).off('end', onGone);
      if (typeof header !== 'string' && received.length > header.length)
        socket.unshift(received.subarray(header.length));
      resolve(header);
    };
    const onGone = (): void => finish('gone');
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      const header = parseProxyHeader(received);
      if (header !== null) finish(header);
    };
    const timer = setTimeout(() => finish('late'), deadlineMs);
    // A listener for workers does not begin to read by itself.
    socket.on('data', onData).on('close', onGone).on('end', onGone).resume();
  });
}

/** Section 2.1: `PROXY TCP4 192.0.2.7 192.0.2.1 56324 22`, each field checked, nothing else on the line. */
function parseLine(received: Buffer): ProxyHeader | 'malformed' | null {
  const end = received.subarray(0, longestLine).indexOf('\r\n');
  if (end === -1) return received.length >= longestLine ? 'malformed' : null;
  const line = received.subarray(0, end).toString('latin1');
  const length = end + 2;
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { address: null, length };
  const [, family, from = '', to = '', ...ports] =
    /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/.exec(line) ?? [];
  const isWhole =
    [from, to].every((address) => isIP(address) === Number(family) && !address.includes('%')) &&
    ports.every((port) => Number(port) <= 65_535);
  return isWhole ? { address: from, length } : 'malformed';
}

/** Section 2.2. */
function parseBinary(received: Buffer): ProxyHeader | 'malformed' | null {
  if (received.length < 16) return null;
  const command = received[12]!;
  const family = received[13]!;
  const rest = received.readUInt16BE(14);
  const length = 16 + rest;
  if ((command !== 0x20 && command !== 0x21) || rest > longestRest) return 'malformed';
  if (received.length < length) return null;
  // LOCAL is the proxy itself: its addresses do not count. Or UNSPEC.
  if (command === 0x20 || family === 0) return { address: null, length };
  const body = received.subarray(16, length);
  if (family === 0x11 && rest >= 12) return { address: body.subarray(0, 4).join('.'), length };
  if (family === 0x21 && rest >= 36) return { address: formatIpv6(body.subarray(0, 16)), length };
  return 'malformed';
}

function formatIpv6(bytes: Buffer): string {
  if (bytes.subarray(0, 12).toString('hex') === '00000000000000000000ffff') return bytes.subarray(12).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(2 * index).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
