/** Framing: the same packets however the stream is cut, and no packet of an impossible length. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Framer, longestPacket } from '../../../server/sftp/frame.js';
import { fc } from '../../support/properties.js';

function frame(content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length, 0);
  return Buffer.concat([length, content]);
}

/** Every packet of a stream that arrives in these pieces, each copied and then recycled, as the session does it. */
function framesOf(pieces: Iterable<Buffer>): Buffer[] {
  const framer = new Framer();
  const packets: Buffer[] = [];
  for (const piece of pieces) {
    framer.push(piece);
    for (let packet = framer.next(); packet !== null; packet = framer.next()) {
      packets.push(Buffer.from(packet));
      framer.recycle(packet);
    }
  }
  assert.equal(framer.isBetweenPackets, true);
  return packets;
}

function* cut(bytes: Buffer, sizes: readonly number[]): Iterable<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    yield Buffer.from(bytes.subarray(at, at + size));
    at += size;
  }
}

const contents = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 60 }) },
    {
      weight: 1,
      arbitrary: fc.integer({ min: 4000, max: longestPacket }).map((length) => Buffer.alloc(length, length)),
    },
  ),
  { maxLength: 8 },
);

test('the cut of the stream makes no difference', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1000, max: 70_000 })), {
    minLength: 1,
  });
  fc.assert(
    fc.property(contents, sizes, (list, pieces) => {
      const packets = list.map((content) => Buffer.from(content));
      assert.deepEqual(framesOf(cut(Buffer.concat(packets.map(frame)), pieces)), packets);
    }),
    { numRuns: 60 },
  );
});

test('byte by byte', () => {
  const packets = ['a', 'bc', 'def'.repeat(2000)].map((text) => Buffer.from(text));
  assert.deepEqual(framesOf(cut(Buffer.concat(packets.map(frame)), [1])), packets);
});

test('a packet that lies whole in a chunk is a view of it', () => {
  const chunk = frame(Buffer.from('whole'));
  const framer = new Framer();
  framer.push(chunk);
  assert.equal(framer.next()!.buffer, chunk.buffer);
});

test('a recycled packet gives its memory to the next one, and not before', () => {
  const framer = new Framer();
  const large = (letter: string) => frame(Buffer.alloc(100_000, letter));
  const next = (bytes: Buffer) => {
    framer.push(bytes.subarray(0, 5000));
    assert.equal(framer.next(), null);
    framer.push(bytes.subarray(5000));
    return framer.next()!;
  };
  const first = next(large('a'));
  const second = next(large('b'));
  assert.notEqual(first.buffer, second.buffer);
  assert.equal(first.at(-1), 'a'.charCodeAt(0));
  framer.recycle(first);
  assert.equal(next(large('c')).buffer, first.buffer);
  assert.equal(second.at(-1), 'b'.charCodeAt(0));
});

test('no packet is empty, and none is longer than the limit', () => {
  for (const length of [0, longestPacket + 1, 0xffff_ffff]) {
    const framer = new Framer();
    const header = Buffer.alloc(4);
    header.writeUInt32BE(length, 0);
    framer.push(header);
    assert.throws(() => framer.next(), { code: 'malformed' });
  }
});
