/** Formats a host key as clients show or accept it, as ssh-keygen does. */
import { createHash } from 'node:crypto';
import { measureBits } from '../login/publickeys.js';
import type { HostKey, HostKeyType } from './hostkeys.js';

/** IANA's numbers for SSHFP records. */
const sshfpAlgorithms: Readonly<Record<HostKeyType, number>> = {
  'ssh-rsa': 1,
  'ecdsa-sha2-nistp256': 3,
  'ssh-ed25519': 4,
};

type Shown = Pick<HostKey, 'type' | 'wire' | 'publicKey'>;

/** `MD5:43:51:…`, as clients from before 2015 show it. */
export function md5Of({ wire }: Shown): string {
  const digest = createHash('md5').update(wire).digest('hex');
  return `MD5:${digest.match(/../g)!.join(':')}`;
}

/** A line of known_hosts; ports other than 22 stand in it. */
export function knownHostsLine({ publicKey }: Shown, host: string, port: number): string {
  return `${port === 22 ? host : `[${host}]:${port}`} ${publicKey}`;
}

/** A DNS record with the SHA-256 of the key (RFC 4255, RFC 6594). */
export function sshfpLine({ type, wire }: Shown, host: string): string {
  return `${host} IN SSHFP ${sshfpAlgorithms[type]} 2 ${createHash('sha256').update(wire).digest('hex')}`;
}

const width = 17;
const height = 9;
/** The character of a square by its number of visits; then the start, then the end. */
const marks = ' .o+=*BOX@%&#/^SE';

/** The picture of `VisualHostKey`: a walk that the digest leads, two bits a step, over a field with walls. */
export function drawHostKey(key: Shown): string {
  const visits = Array.from({ length: height }, () => new Array<number>(width).fill(0));
  let [x, y] = [(width - 1) / 2, (height - 1) / 2];
  const most = marks.length - 3;
  for (const byte of createHash('sha256').update(key.wire).digest())
    for (let shift = 0; shift < 8; shift += 2) {
      const step = byte >> shift;
      x = Math.min(Math.max(x + ((step & 1) === 0 ? -1 : 1), 0), width - 1);
      y = Math.min(Math.max(y + ((step & 2) === 0 ? -1 : 1), 0), height - 1);
      visits[y]![x] = Math.min(visits[y]![x]! + 1, most);
    }
  visits[(height - 1) / 2]![(width - 1) / 2] = marks.length - 2;
  visits[y]![x] = marks.length - 1;
  const rows = visits.map((row) => `|${row.map((count) => marks[count]).join('')}|`);
  const name = key.type.replace(/^ssh-|-.*$/g, '').toUpperCase();
  return [frame(`[${name} ${measureBits(key.type, key.wire)}]`), ...rows, frame('[SHA256]')].join('\n');
}

function frame(title: string): string {
  const left = Math.floor((width - title.length) / 2);
  return `+${'-'.repeat(left)}${title}${'-'.repeat(width - title.length - left)}+`;
}
