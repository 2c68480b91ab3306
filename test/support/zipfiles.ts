/** Makes zip archives of every form that packers write, valid and broken ones. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  name: string;
  text: string | Buffer;
  /** 0: stored; 8 (default): deflated; others are only claimed. */
  method?: number;
  flags?: number;
  /** Sizes and checksum follow the data: with or without a signature, of 4 or 8 bytes. */
  descriptor?: { isSigned: boolean; isLarge: boolean };
  /** Sizes are in the extra field of zip64. */
  isZip64?: boolean;
  /** Written in place of the right checksum. */
  crc?: number;
  /** Left out of the central directory. */
  isHidden?: boolean;
}

export function makeZip(entries: readonly ZipEntry[], comment = ''): Buffer {
  const parts: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const text = Buffer.from(entry.text as string);
    const method = entry.method ?? 8;
    const packed = method === 0 ? text : deflateRawSync(text);
    const crc = entry.crc ?? crc32(text);
    const name = Buffer.from(entry.name);
    const flags = (entry.flags ?? 0x800) | (entry.descriptor === undefined ? 0 : 8);
    const extra = Buffer.alloc(entry.isZip64 === true ? 20 : 0);
    if (entry.isZip64 === true) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(16, 2);
      extra.writeBigUInt64LE(BigInt(text.length), 4);
      extra.writeBigUInt64LE(BigInt(packed.length), 12);
    }
    const isLater = entry.descriptor !== undefined;
    const sizes = entry.isZip64 === true ? [0xffffffff, 0xffffffff] : [packed.length, text.length];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(isLater ? 0 : crc, 14);
    local.writeUInt32LE(isLater ? 0 : sizes[0]!, 18);
    local.writeUInt32LE(isLater ? 0 : sizes[1]!, 22);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(extra.length, 28);
    const behind = entry.descriptor === undefined ? Buffer.alloc(0) : describe(entry.descriptor, crc, packed, text);
    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt16LE(flags, 8);
    record.writeUInt16LE(method, 10);
    record.writeUInt32LE(crc, 16);
    record.writeUInt32LE(packed.length, 20);
    record.writeUInt32LE(text.length, 24);
    record.writeUInt16LE(name.length, 28);
    record.writeUInt32LE(offset, 42);
    if (entry.isHidden !== true) central.push(record, name);
    parts.push(local, name, extra, packed, behind);
    offset += 30 + name.length + extra.length + packed.length + behind.length;
  }
  const list = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(central.length / 2, 8);
  end.writeUInt16LE(central.length / 2, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, list, end, Buffer.from(comment)]);
}

function describe({ isSigned, isLarge }: { isSigned: boolean; isLarge: boolean }, crc: number, ...data: Buffer[]) {
  const bytes = Buffer.alloc((isSigned ? 4 : 0) + (isLarge ? 20 : 12));
  let at = isSigned ? bytes.writeUInt32LE(0x08074b50) : 0;
  at = bytes.writeUInt32LE(crc, at);
  for (const { length } of data)
    at = isLarge ? bytes.writeBigUInt64LE(BigInt(length), at) : bytes.writeUInt32LE(length, at);
  return bytes;
}
