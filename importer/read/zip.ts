/**
 * Reads the one file of a zip archive as a stream, from its first byte to its last: each local header, its data, then the central
 * directory, which must name the same files (APPNOTE.TXT 6.3.10, section 4.3). So it needs no file to seek in.
 */
import { crc32 } from 'node:zlib';
import { RefusalError, refuse, shorten } from '../codes.js';
import { quoteName } from '../outside.js';
import type { ByteReader } from './bytereader.js';
import { excelAdvice } from './foreignformats.js';
import { InflateError, inflateRaw } from './inflate.js';

const signatures = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  central: 0x02014b50,
  zip64End: 0x06064b50,
  zip64Locator: 0x07064b50,
  end: 0x06054b50,
};
/** Bit 0: encrypted. Bit 6: strongly encrypted. Bit 13: the names are encrypted. */
const encryptedFlags = 0x2041;
/** The sizes and the checksum follow the data. */
const descriptorFlag = 0x0008;
const utf8Flag = 0x0800;

/** Files that macOS and Windows add by themselves, and folders. */
const beside = /^__MACOSX\/|(?:^|\/)(?:\._[^/]*|\.DS_Store|Thumbs\.db|desktop\.ini)$|\/$/i;
const workbook = /^(?:\[Content_Types\]\.xml|_rels\/|docProps\/|xl\/)/i;
const mostBeside = 1000;
const mostBesideBytes = 16 * 1024 * 1024;
const mostNameBytes = 4096;

const packAgain = 'Pack it again with one CSV file and the usual compression (Deflate), or send the CSV file itself.';

interface Entry {
  name: string;
  method: number;
  hasDescriptor: boolean;
  crc: number;
  packedBytes: number;
  bytes: number;
  isZip64: boolean;
}

/** The bytes of the one file of an archive. @throws RefusalError for every other archive, with a reason that says what to do. */
export async function* readZip(reader: ByteReader): AsyncGenerator<Buffer> {
  const entries = new Map<string, number>();
  let [found, besideBytes, central]: [string | null, number, number] = [null, 0, 0];
  for (;;) {
    const signature = (await take(reader, 4)).readUInt32LE();
    if (signature === signatures.local) {
      const entry = await readLocal(reader);
      if (entries.has(entry.name)) throw refuseZip(`has the file ${quoteName(shorten(entry.name))} twice`, packAgain);
      const isBeside = beside.test(entry.name);
      if (!isBeside && found !== null)
        throw refuseZip(
          `has several files: ${quoteName(shorten(found))}, ${quoteName(shorten(entry.name))}`,
          'Send each file by itself, packed or not.',
        );
      if (!isBeside) found = entry.name;
      for await (const piece of readData(reader, entry)) {
        if (!isBeside) yield piece;
        else besideBytes += piece.length;
        if (besideBytes > mostBesideBytes) throw refuseZip('has more than a CSV file', packAgain);
      }
      entries.set(entry.name, entry.crc);
      if (entries.size > mostBeside) throw refuseZip('has more than a CSV file', packAgain);
    } else if (signature === signatures.central) {
      const { name, crc } = await readCentral(reader);
      if (entries.get(name) !== crc) throw damaged('its list of files does not fit its files');
      central++;
    } else if (signature === signatures.zip64End) {
      const bytes = (await take(reader, 8)).readBigUInt64LE();
      if (bytes > mostNameBytes) throw damaged('its end is too long');
      await take(reader, Number(bytes));
    } else if (signature === signatures.zip64Locator) await take(reader, 16);
    else if (signature === signatures.end) {
      const comment = (await take(reader, 18)).readUInt16LE(16);
      await take(reader, comment);
      if (central !== entries.size) throw damaged('its list of files does not fit its files');
      if ((await reader.peek(1)).length > 0) throw damaged('there are bytes after its end');
      if (found === null) throw refuseZip('has no file', packAgain);
      return;
    } else if (entries.size === 0 && signature === signatures.descriptor)
      throw refuseZip('is one part of a divided archive', packAgain);
    else throw damaged('it has an unknown part');
  }
}

async function readLocal(reader: ByteReader): Promise<Entry> {
  const head = await take(reader, 26);
  const flags = head.readUInt16LE(2);
  const method = head.readUInt16LE(4);
  const name = await readName(reader, head.readUInt16LE(22), flags);
  const extra = await take(reader, head.readUInt16LE(24));
  if (workbook.test(name) || name === 'mimetype') throw refuseBook(name);
  if ((flags & encryptedFlags) !== 0 || method === 99)
    throw refuseZip(
      'has a password',
      'Pack it again without a password. The connection and the storage are encrypted; if the file must be encrypted before it is sent, use PGP.',
    );
  const hasDescriptor = (flags & descriptorFlag) !== 0;
  if (method !== 8 && method !== 0) throw refuseZip(`uses an unusual compression (method ${method})`, packAgain);
  if (method === 0 && hasDescriptor && !name.endsWith('/'))
    throw refuseZip('does not say how long its file is', packAgain);
  const large = findZip64(extra);
  const isZip64 = large !== null;
  const size = (at: number, place: number) => {
    const bytes = head.readUInt32LE(at);
    return bytes === 0xffffffff && large !== null && large.length >= place + 8
      ? Number(large.readBigUInt64LE(place))
      : bytes;
  };
  const [packedBytes, bytes] = [size(14, 8), size(18, 0)];
  return { name, method, hasDescriptor, crc: head.readUInt32LE(10), packedBytes, bytes, isZip64 };
}

/** The data of an entry; afterwards its checksum and sizes were compared, and `entry.crc` is right. */
async function* readData(reader: ByteReader, entry: Entry): AsyncGenerator<Buffer> {
  const begin = reader.consumed;
  let [crc, bytes] = [0, 0];
  try {
    for await (const piece of entry.method === 8 ? inflateRaw(reader) : readStored(reader, entry)) {
      crc = crc32(piece, crc);
      bytes += piece.length;
      yield piece;
    }
  } catch (error) {
    throw error instanceof InflateError ? damaged(error.message) : error;
  }
  const packedBytes = reader.consumed - begin;
  if (entry.hasDescriptor) await skipDescriptor(reader, { ...entry, crc, packedBytes, bytes });
  else if (entry.crc !== crc) throw damaged('its checksum is wrong');
  else if (entry.packedBytes !== packedBytes || entry.bytes !== bytes) throw damaged('its sizes are wrong');
  entry.crc = crc;
}

async function* readStored(reader: ByteReader, { packedBytes, hasDescriptor }: Entry): AsyncGenerator<Buffer> {
  for (let left = hasDescriptor ? 0 : packedBytes; left > 0; ) {
    const piece = await reader.next(left);
    if (piece === null) throw damaged('it ends too early');
    left -= piece.length;
    yield piece;
  }
}

/** A descriptor has a signature or none, and sizes of 4 or 8 bytes, whatever the header says. */
async function skipDescriptor(reader: ByteReader, { crc, packedBytes, bytes }: Entry): Promise<void> {
  const ahead = await reader.peek(24);
  for (const isSigned of [true, false])
    for (const isLarge of [false, true]) {
      const expected = Buffer.alloc((isSigned ? 4 : 0) + (isLarge ? 20 : 12));
      let at = isSigned ? expected.writeUInt32LE(signatures.descriptor) : 0;
      at = expected.writeUInt32LE(crc, at);
      for (const size of [packedBytes, bytes])
        at = isLarge ? expected.writeBigUInt64LE(BigInt(size), at) : expected.writeUInt32LE(size % 2 ** 32, at);
      if (!ahead.subarray(0, at).equals(expected)) continue;
      await take(reader, at);
      return;
    }
  throw damaged('its checksum or its sizes are wrong');
}

async function readCentral(reader: ByteReader): Promise<{ name: string; crc: number }> {
  const head = await take(reader, 42);
  const name = await readName(reader, head.readUInt16LE(24), head.readUInt16LE(4));
  await take(reader, head.readUInt16LE(26) + head.readUInt16LE(28));
  return { name, crc: head.readUInt32LE(12) };
}

async function readName(reader: ByteReader, length: number, flags: number): Promise<string> {
  if (length > mostNameBytes) throw damaged('a name in it is too long');
  return (await take(reader, length)).toString((flags & utf8Flag) !== 0 ? 'utf8' : 'latin1');
}

/** The field 1 of the extra fields: sizes of 8 bytes. */
function findZip64(extra: Buffer): Buffer | null {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2))
    if (extra.readUInt16LE(at) === 1) return extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  return null;
}

async function take(reader: ByteReader, length: number): Promise<Buffer> {
  const bytes = await reader.take(length);
  if (bytes === null) throw damaged('it ends too early');
  return bytes;
}

function damaged(reason: string): RefusalError {
  return new RefusalError(refuse('packed_damaged', { what: 'zip archive', reason }));
}

function refuseZip(reason: string, advice: string): RefusalError {
  return new RefusalError(refuse('zip_content', { reason, advice }));
}

function refuseBook(name: string): RefusalError {
  const what = name === 'mimetype' ? 'an OpenDocument file (.ods)' : 'an Excel workbook (.xlsx)';
  return new RefusalError(refuse('not_csv', { what, advice: excelAdvice }));
}
