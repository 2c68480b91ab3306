/** Reads the paths that clients send: absolute, normalized, UTF-8. */
import { posix } from 'node:path';
import { SpaceError } from '../../storage/types.js';

/**
 * A virtual path from its bytes; relative ones start at `/`, and `..` never leads above it.
 * Throws SpaceError `bad_name` on what is no UTF-8, or has a NUL.
 */
export function decodePath(bytes: Buffer): string {
  const text = decodeUtf8(bytes);
  if (text.includes('\0')) throw new SpaceError('bad_name', 'a path with a NUL');
  const path = posix.normalize(`/${text}`);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SpaceError('bad_name', 'a path that is no UTF-8', { cause });
  }
}
