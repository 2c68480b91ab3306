/** Requests as a client could send them: right in form, and often enough right in meaning. */
import { edges32, edges64, mutate, toBytes32, toBytes64 } from './mutate.js';
import type { Random } from './random.js';

/** What the one who asks knows of the session. */
export interface World {
  /** Open handles; those of closed ones come up now and then too. */
  handles: readonly Buffer[];
  /** Bytes of the largest file that is accepted. */
  maxFileBytes: number;
}

const names = ['a.csv', 'b.csv', 'users.csv.part', '.tmp', 'sub', 'deep', 'Zürich.csv'];
const roots = ['/archive', '/exports', '/reports', '/templates', '/'];

export function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  return Buffer.concat([toBytes32(bytes.length), bytes]);
}

export function path(random: Random): Buffer {
  if (random.oneIn(12)) return text(oddPath(random));
  const depth = random.pick([1, 1, 1, 2, 2, 3]);
  return text(`${random.oneIn(8) ? '' : '/'}${Array.from({ length: depth }, () => random.pick(names)).join('/')}`);
}

function oddPath(random: Random): string | Buffer {
  return random.pick<() => string | Buffer>([
    () => random.pick(roots),
    () => `${random.pick(roots)}/${random.pick(names)}`,
    () => '',
    () => `..//./../${random.pick(names)}/`,
    () => 'x'.repeat(random.pick([255, 256, 5000])),
    () => 'd/'.repeat(random.pick([31, 32, 33, 3000])),
    () => `nul\0${random.pick(names)}`,
    () => random.bytes(random.below(30)),
    () => "'; DROP TABLE uploads; --",
    () => '%n%s\r\n\x1b[2J',
  ])();
}

function handle(random: Random, { handles }: World): Buffer {
  if (handles.length === 0 || random.oneIn(40)) return text(random.bytes(random.pick([0, 1, 4, 4, 256])));
  return text(random.pick(handles));
}

function offset(random: Random, { maxFileBytes }: World): Buffer {
  return random.oneIn(25) ? toBytes64(random.pick(edges64)) : toBytes64(BigInt(random.size(maxFileBytes)));
}

export function attributes(random: Random, world: World): Buffer {
  const flags = random.pick([0, 0, 0, 1, 2, 4, 8, 12, 13, 0x8000_0000, 0x8000_000f, random.pick(edges32)]);
  const parts = [toBytes32(flags)];
  if ((flags & 1) !== 0) parts.push(offset(random, world));
  if ((flags & 2) !== 0) parts.push(random.bytes(8));
  if ((flags & 4) !== 0) parts.push(random.bytes(4));
  if ((flags & 8) !== 0) parts.push(random.bytes(8));
  if ((flags & 0x8000_0000) !== 0) {
    const pairs = random.below(4);
    parts.push(toBytes32(random.oneIn(8) ? random.pick(edges32) : pairs));
    for (let pair = 0; pair < pairs; pair++) parts.push(text(random.bytes(5)), text(random.bytes(random.below(50))));
  }
  return Buffer.concat(parts);
}

type Body = (random: Random, world: World) => Buffer;

const openFlags = [0x1a, 0x1a, 0x1a, 0x0a, 0x2a, 0x0e, 0x02, 0x06, 0x1b, 0x0b, 0x01, 0x01, 0x01, 0x00];
const algorithms = ['sha256', 'md5,sha256', 'sha1', 'crc32', 'none,sha512', ''];

const open: Body = (random, world) =>
  Buffer.concat([
    path(random),
    toBytes32(random.oneIn(30) ? random.pick(edges32) : random.pick(openFlags)),
    attributes(random, world),
  ]);
const onHandle: Body = (random, world) => handle(random, world);
const onPath: Body = (random) => path(random);
const read: Body = (random, world) =>
  Buffer.concat([
    handle(random, world),
    offset(random, world),
    toBytes32(random.oneIn(9) ? random.pick(edges32) : random.size(70_000)),
  ]);
const write: Body = (random, world) =>
  Buffer.concat([
    handle(random, world),
    offset(random, world),
    text(Buffer.alloc(random.size(70_000), 1 + random.below(255))),
  ]);
const withAttributes =
  (subject: Body): Body =>
  (random, world) =>
    Buffer.concat([subject(random, world), attributes(random, world)]);
const twoPaths: Body = (random) => Buffer.concat([path(random), path(random)]);

/** Each request's number, how often it comes, and what it carries. */
const table: readonly (readonly [number, number, Body])[] = [
  [3, 12, open],
  [4, 7, onHandle],
  [5, 6, read],
  [6, 14, write],
  [7, 1, onPath],
  [8, 2, onHandle],
  [9, 2, withAttributes(onPath)],
  [10, 2, withAttributes(onHandle)],
  [11, 1, onPath],
  [12, 2, onHandle],
  [13, 2, onPath],
  [14, 3, withAttributes(onPath)],
  [15, 1, onPath],
  [16, 1, onPath],
  [17, 4, onPath],
  [18, 3, twoPaths],
  [19, 1, onPath],
  [20, 1, twoPaths],
];
const lots = table.flatMap((row) => Array.from({ length: row[1] }, () => row));

/** One request without its length field, as it should be; its id is `id`. */
export function request(random: Random, world: World, id: number): Buffer {
  if (random.oneIn(8)) return extended(random, world, id);
  const [number, , body] = random.pick(lots);
  return Buffer.concat([Buffer.from([number]), toBytes32(id), body(random, world)]);
}

/** What each extension carries. */
const extensions: Record<string, Body> = {
  'posix-rename@openssh.com': twoPaths,
  'fsync@openssh.com': onHandle,
  'lsetstat@openssh.com': withAttributes(onPath),
  'limits@openssh.com': () => Buffer.alloc(0),
  'statvfs@openssh.com': onPath,
  'fstatvfs@openssh.com': onHandle,
  'copy-data': (random, world) =>
    Buffer.concat([
      handle(random, world),
      offset(random, world),
      random.oneIn(3) ? toBytes64(0n) : offset(random, world),
      handle(random, world),
      offset(random, world),
    ]),
  'check-file': (random, world) => Buffer.concat([handle(random, world), range(random, world)]),
  'check-file-handle': (random, world) => Buffer.concat([handle(random, world), range(random, world)]),
  'check-file-name': (random, world) => Buffer.concat([path(random), range(random, world)]),
  'expand-path@openssh.com': (random) =>
    Buffer.concat([random.oneIn(3) ? text(`~/${random.pick(names)}`) : path(random)]),
  'home-directory': (random) => text(random.pick(['', 'root', random.bytes(5)])),
  'users-groups-by-id@openssh.com': (random) => Buffer.concat([numbers(random), numbers(random)]),
};
const extensionNames = Object.keys(extensions);

function range(random: Random, world: World): Buffer {
  const length = random.oneIn(2) ? toBytes64(0n) : offset(random, world);
  const from = random.oneIn(2) ? toBytes64(0n) : offset(random, world);
  const block = random.pick([0, 0, 0, 1, 256, 4096, random.pick(edges32)]);
  return Buffer.concat([text(random.pick(algorithms)), from, length, toBytes32(block)]);
}

function numbers(random: Random): Buffer {
  return text(Buffer.concat(Array.from({ length: random.below(4) }, () => toBytes32(random.pick([0, 1000, 1001])))));
}

function extended(random: Random, world: World, id: number): Buffer {
  const name = random.pick(extensionNames);
  return Buffer.concat([Buffer.from([200]), toBytes32(id), text(name), extensions[name]!(random, world)]);
}

/** A request with its length field, damaged in one way or another. */
export function brokenRequest(random: Random, world: World, id: number): Buffer {
  const whole = request(random, world, id);
  // Now and then the length itself; else what it says is true, so that the damage reaches the decoders.
  if (random.oneIn(10)) return mutate(random, frame(whole));
  if (random.oneIn(10)) return frame(Buffer.concat([Buffer.from([random.below(256)]), random.bytes(random.below(40))]));
  const mutant = mutate(random, whole.subarray(5));
  return frame(Buffer.concat([whole.subarray(0, 5), mutant]));
}

export function frame(packet: Buffer): Buffer {
  return Buffer.concat([toBytes32(packet.length), packet]);
}
