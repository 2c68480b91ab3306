/** Small damage to bytes that were right: where parsers break is near to what they expect. */
import type { Random } from './random.js';

/** Lengths, counts, flags, offsets and handles at which arithmetic goes wrong. */
export const edges32 = [0, 1, 2, 3, 4, 0x7f, 0xff, 0x8000, 0xffff, 0x0004_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

export const edges64: readonly bigint[] = [
  0n,
  1n,
  65535n,
  65536n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

type Mutation = (random: Random, bytes: Buffer) => Buffer;

const mutations: readonly Mutation[] = [
  (random, bytes) => replaceAt(bytes, random.below(bytes.length), Buffer.from([random.below(256)])),
  (random, bytes) => {
    const at = random.below(bytes.length);
    return replaceAt(bytes, at, Buffer.from([bytes[at]! ^ (1 << random.below(8))]));
  },
  (random, bytes) => replaceAt(bytes, random.below(bytes.length), toBytes32(random.pick(edges32))),
  (random, bytes) => replaceAt(bytes, random.below(bytes.length), toBytes64(random.pick(edges64))),
  (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  (random, bytes) => Buffer.concat([bytes, random.bytes(random.below(20))]),
  (random, bytes) => {
    const from = random.below(bytes.length);
    const to = from + random.below(bytes.length - from);
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  (random, bytes) => {
    const from = random.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + random.below(9))]);
  },
];

export function mutate(random: Random, bytes: Buffer): Buffer {
  let mutant = bytes;
  do {
    if (mutant.length > 0) mutant = random.pick(mutations)(random, mutant);
  } while (random.oneIn(3));
  return mutant;
}

export function toBytes32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function toBytes64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** Overwrites as much as fits. */
function replaceAt(bytes: Buffer, at: number, by: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  by.copy(copy, at);
  return copy;
}
