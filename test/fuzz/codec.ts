/** One case of the codec's fuzzer: any bytes, cut anywhere, through the framer and every request's decoder. */
import { readAttributes } from '../../server/sftp/attributes.js';
import { PacketReader } from '../../server/sftp/codec.js';
import { SftpError } from '../../server/sftp/error.js';
import { extensions } from '../../server/sftp/extensions.js';
import { Framer, longestPacket } from '../../server/sftp/frame.js';
import { newFolderHandle } from '../../server/sftp/handles.js';
import type { AnyRequest, Context } from '../../server/sftp/request.js';
import { requests } from '../../server/sftp/requests.js';
import { SpaceError } from '../../storage/types.js';
import { attributes, brokenRequest, frame, request } from './grammar.js';
import { mutate } from './mutate.js';
import { Random } from './random.js';
import { FieldReader, PacketCutter, Refusal, ShortPacket } from './reader.js';
import { Unexpected } from './script.js';

const world = { handles: [Buffer.alloc(4)], maxFileBytes: 512 * 1024 };
const everyRequest: readonly AnyRequest[] = [...requests.values(), ...extensions.values()];
/** A session in which every handle is open. */
const context = {
  handles: { find: () => newFolderHandle('/'), take: () => newFolderHandle('/') },
} as unknown as Context;

/** @throws Unexpected */
export function fuzzCodec(seed: number): void {
  const random = new Random(seed);
  const bytes = Buffer.concat(Array.from({ length: 1 + random.below(8) }, () => somePacket(random)));
  try {
    compareFrames(random, bytes);
    for (const { handler } of everyRequest) decode(handler, mutate(random, request(random, world, 1)));
    compareAttributes(mutate(random, attributes(random, world)));
  } catch (error) {
    const message = error instanceof Unexpected ? error.message : (error as Error).stack;
    throw new Unexpected(`${message}\nbytes: ${bytes.toString('hex')}`);
  }
}

function somePacket(random: Random): Buffer {
  if (random.oneIn(10)) return frame(Buffer.alloc(random.pick([4095, 4096, 65536, longestPacket]), 7));
  return random.oneIn(3) ? brokenRequest(random, world, 1) : frame(request(random, world, 1));
}

/** The framer finds the packets that the model finds, however the stream is cut, and stops where it stops. */
function compareFrames(random: Random, bytes: Buffer): void {
  const expected = cutWhole(bytes);
  const found: string[] = [];
  const framer = new Framer();
  try {
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + random.below(random.pick([1, 5, 5000, 100_000]));
      framer.push(Buffer.from(bytes.subarray(at, at + length)));
      at += length;
      for (let packet = framer.next(); packet !== null; packet = framer.next()) {
        found.push(packet.toString('latin1'));
        decodeAny(packet);
        framer.recycle(packet);
      }
    }
    if (expected.isMalformed) throw new Unexpected('a malformed stream was taken');
  } catch (error) {
    if (!(error instanceof SftpError) || !expected.isMalformed) throw error;
  }
  if (found.join('|') !== expected.packets.join('|')) throw new Unexpected('other packets than the stream has');
}

function cutWhole(bytes: Buffer): { packets: string[]; isMalformed: boolean } {
  const packets: string[] = [];
  const cutter = new PacketCutter(longestPacket);
  cutter.push(bytes);
  try {
    for (let packet = cutter.next(); packet !== null; packet = cutter.next()) packets.push(packet.toString('latin1'));
    return { packets, isMalformed: false };
  } catch {
    return { packets, isMalformed: true };
  }
}

function decodeAny(packet: Buffer): void {
  const request = requests.get(packet[0]!);
  if (request !== undefined) decode(request.handler, packet);
}

/** It gives arguments, or throws what becomes a status or the session's end; nothing else. */
function decode({ read }: AnyRequest['handler'], packet: Buffer): void {
  try {
    const reader = new PacketReader(packet);
    reader.u8();
    reader.u32();
    read(reader, context);
  } catch (error) {
    if (!(error instanceof SftpError) && !(error instanceof SpaceError)) throw error;
  }
}

function compareAttributes(bytes: Buffer): void {
  const expected = outcomeOf(() => new FieldReader(bytes).attributes());
  const found = outcomeOf(() => readAttributes(new PacketReader(bytes)).size);
  if (found !== expected) throw new Unexpected(`attributes ${bytes.toString('hex')}: ${found} instead of ${expected}`);
}

function outcomeOf(read: () => number | null): string {
  try {
    return String(read());
  } catch (error) {
    if (error instanceof ShortPacket || (error instanceof SftpError && error.code === 'malformed')) return 'malformed';
    if (error instanceof Refusal || error instanceof SpaceError) return 'refused';
    throw error;
  }
}
