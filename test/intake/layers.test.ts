/** Layers of changes against plain buffers: any changes of any writers, with any of them left out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Layers, sizeOf, slicePieces } from '../../intake/layers.js';
import { fc } from '../support/properties.js';

const writers = ['a', 'b', 'c'];
const change = fc.record({
  writer: fc.constantFrom(...writers),
  kind: fc.constantFrom('write', 'write', 'append', 'size'),
  at: fc.nat(40),
  length: fc.integer({ min: 1, max: 12 }),
});

function sized(content: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  content.copy(next);
  return next;
}

test('any changes, without those of any writers', () => {
  fc.assert(
    fc.property(fc.nat(30), fc.array(change, { maxLength: 40 }), fc.subarray(writers), (baseBytes, changes, left) => {
      const base = Buffer.from(Array.from({ length: baseBytes }, (_, at) => 200 + (at % 50)));
      const layers = new Layers<string>();
      const own = new Map(writers.map((writer) => [writer, Buffer.alloc(0)]));
      let expected: Buffer = base;
      let number = 0;
      for (const { writer, kind, at, length } of changes) {
        const bytes = Buffer.alloc(length, ++number);
        const isCounted = !left.includes(writer);
        if (kind === 'size') {
          layers.resize(writer, at);
          if (isCounted) expected = sized(expected, at);
          continue;
        }
        const kept = own.get(writer)!;
        layers.write(writer, kind === 'append' ? null : at, kept.length, length);
        own.set(writer, Buffer.concat([kept, bytes]));
        if (!isCounted) continue;
        const from = kind === 'append' ? expected.length : at;
        expected = sized(expected, Math.max(expected.length, from + length));
        bytes.copy(expected, from);
      }
      const pieces = layers.compose(baseBytes, (writer) => !left.includes(writer));
      assert.equal(sizeOf(pieces), expected.length);
      const sourceOf = (source: string) => (source === 'base' ? base : own.get(source)!);
      const read = ({ source, from, length }: (typeof pieces)[0]) =>
        source === 'zeros' ? Buffer.alloc(length) : sourceOf(source).subarray(from, from + length);
      assert.deepEqual(Buffer.concat(pieces.map(read)), expected);
      const part = Buffer.concat([...slicePieces(pieces, 5, 11)].map(read));
      assert.deepEqual(part, expected.subarray(5, 16));
    }),
    { numRuns: 600 },
  );
});

test('a client that sends from start to end, or in blocks out of order, leaves one range', () => {
  const layers = new Layers<string>();
  for (const at of [0, 10, 30, 20, 50, 40, 60]) layers.write('a', at, at, 10);
  assert.deepEqual(
    layers.compose(0, () => true),
    [{ source: 'a', from: 0, length: 70 }],
  );
});

test('more pieces than may be kept are refused', () => {
  const layers = new Layers<string>();
  const take = () => {
    for (let turn = 0; turn < 5000; turn++) layers.resize(turn % 2 === 0 ? 'a' : 'b', turn);
  };
  assert.throws(take, { code: 'unsupported' });
});
