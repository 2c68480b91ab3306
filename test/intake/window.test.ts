/** The window of writes that came ahead: later writes win, and what it keeps in memory is bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '../../intake/memory.js';
import { Window } from '../../intake/window.js';
import { ampleMemory } from '../support/memory.js';
import { fc } from '../support/properties.js';

const span = 400;

test('whatever overlaps, the later write wins', () => {
  const write = fc.record({
    offset: fc.nat(span - 60),
    length: fc.integer({ min: 1, max: 60 }),
    byte: fc.integer({ min: 1, max: 255 }),
  });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 40 }), fc.option(fc.nat(span)), (writes, cut) => {
      const memory = new Memory({ orgBytes: 1024 ** 2, processBytes: 1024 ** 2 });
      const window = new Window(1024 * 1024, memory.open('acme'));
      const model = Buffer.alloc(span);
      for (const { offset, length, byte } of writes) {
        assert.equal(window.put(offset, Buffer.alloc(length, byte)), 'kept');
        model.fill(byte, offset, offset + length);
      }
      if (cut !== null) {
        window.cut(cut);
        model.fill(0, cut);
      }
      const shown = Buffer.alloc(span);
      window.overlay(shown, 0);
      assert.deepEqual(shown, model);
      const part = Buffer.alloc(50);
      window.overlay(part, 100);
      assert.deepEqual(part, model.subarray(100, 150));
      const taken = Buffer.alloc(span);
      for (let at = window.first; at !== null; at = window.first) window.take(at)!.copy(taken, at);
      assert.deepEqual(taken, model);
      window.clear();
      assert.equal(memory.heldBytes, 0);
    }),
  );
});

test('taking drops what lies before, and gives a piece from the middle', () => {
  const window = new Window(10_000, ampleMemory());
  window.put(0, Buffer.from('old'));
  window.put(10, Buffer.from('abcdef'));
  assert.equal(window.take(8), null);
  assert.equal(window.first, 10);
  assert.equal(window.take(12)?.toString(), 'cdef');
  assert.equal(window.first, null);
  assert.equal(window.take(12), null);
});

test('it holds copies, up to its limit, and has room again when they are taken', () => {
  const window = new Window(1000, ampleMemory());
  const bytes = Buffer.alloc(700, 1);
  assert.equal(window.put(100, bytes), 'kept');
  bytes.fill(2);
  assert.equal(window.put(900, bytes), 'full');
  assert.equal(window.take(100)?.[0], 1);
  assert.equal(window.put(900, bytes), 'kept');
});

test('many tiny pieces count for what they cost', () => {
  const window = new Window(1024 * 1024, ampleMemory());
  let pieces = 0;
  while (window.put(10 + pieces * 2, Buffer.from('x')) === 'kept') pieces++;
  assert.ok(pieces > 1000 && pieces < 10_000, `${pieces}`);
});
