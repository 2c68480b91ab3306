/** Reads the paths that clients send: relative ones start at `/`, and `..` never leads above it. */
import { decodePath, normalizePath } from '../../storage/path.js';
import type { PacketReader } from './codec.js';

/** Throws SpaceError `bad_name` on what is no UTF-8 or no allowed name. */
export function readPath(packet: PacketReader): string {
  return normalizePath(decodePath(packet.string()));
}
