/** Reads the headers of an upload in ranges: `Content-Range` (RFC 9110, section 14.5) and `Repr-Digest` (RFC 9530). */
import { DropError } from './error.js';

/** Bytes `from` to before `end` of a file of `total` bytes. */
export interface DropRange {
  from: number;
  end: number;
  total: number;
}

/** A file is sent in so many ranges at most: each begins with a copy of the bytes before it. */
const mostRanges = 64;
const leastBytes = 1024 * 1024;

/** null: the whole file is sent. @throws DropError `usage` */
export function readRange(header: string | undefined): DropRange | null {
  if (header === undefined) return null;
  const parts = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(header.trim());
  const [from, last, total] = (parts ?? []).slice(1).map(Number);
  if (from === undefined || last === undefined || total === undefined || from > last || last >= total)
    throw new DropError(
      'usage',
      'Content-Range must be "bytes FIRST-LAST/SIZE", counted from 0, with the size of the whole file: bytes 0-1048575/5000000',
    );
  const range = { from, end: last + 1, total };
  const least = Math.max(leastBytes, Math.ceil(total / mostRanges));
  if (range.end < total && range.end - from < least)
    throw new DropError(
      'usage',
      `each range but the last one of a file of ${total} bytes must have at least ${least} bytes`,
    );
  return range;
}

/** The SHA-256 of the whole file, hex; null: no digest is given. @throws DropError `usage` */
export function readDigest(header: string | undefined): string | null {
  if (header === undefined) return null;
  const found = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)/.exec(header);
  if (found === null)
    throw new DropError(
      'usage',
      'Repr-Digest must have the SHA-256 of the whole file in base64: sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
    );
  return Buffer.from(found[1]!, 'base64').toString('hex');
}

/** As `Repr-Digest` has it. @param sha256 hex */
export function writeDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`;
}
