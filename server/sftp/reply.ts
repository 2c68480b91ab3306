/** Encodes the reply packets (draft-ietf-secsh-filexfer-02, section 7). */
import type { Entry } from '../../storage/types.js';
import { formatLongName, writeAttributes, writeNoAttributes } from './attributes.js';
import { PacketWriter } from './codec.js';
import type { Status } from './status.js';

export const replyNumbers = {
  version: 2,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 201,
} as const;

/** One packet. The content of a file follows its header as a buffer of its own, so that it is not copied. */
export type Reply = Buffer | readonly [header: Buffer, content: Buffer];

export function replyVersion(extensions: Iterable<{ name: string; version: string }>): Reply {
  const packet = new PacketWriter(replyNumbers.version).u32(3);
  for (const { name, version } of extensions) packet.string(name).string(version);
  return packet.finish();
}

export function replyStatus(id: number, status: Status): Reply {
  const expectedBytes = 1 + 4 + 4 + 4 + status.sentence.length + 4;
  return new PacketWriter(replyNumbers.status, expectedBytes)
    .u32(id)
    .u32(status.code)
    .string(status.sentence)
    .string('')
    .finish();
}

export function replyHandle(id: number, handle: Buffer): Reply {
  return new PacketWriter(replyNumbers.handle).u32(id).string(handle).finish();
}

export function replyData(id: number, content: Buffer): Reply {
  const header = Buffer.allocUnsafe(13);
  header.writeUInt32BE(9 + content.length, 0);
  header.writeUInt8(replyNumbers.data, 4);
  header.writeUInt32BE(id, 5);
  header.writeUInt32BE(content.length, 9);
  return [header, content];
}

export function replyAttributes(id: number, entry: Entry): Reply {
  return writeAttributes(new PacketWriter(replyNumbers.attrs).u32(id), entry).finish();
}

export function replyEntries(id: number, entries: readonly Entry[], owner: string, nowMs: number): Reply {
  const packet = new PacketWriter(replyNumbers.name, 200 * entries.length).u32(id).u32(entries.length);
  for (const entry of entries)
    writeAttributes(packet.string(entry.name).string(formatLongName(entry, owner, nowMs)), entry);
  return packet.finish();
}

/** The answer to REALPATH: one name, whose attributes mean nothing. */
export function replyPath(id: number, path: string): Reply {
  return writeNoAttributes(new PacketWriter(replyNumbers.name).u32(id).u32(1).string(path).string(path)).finish();
}
