/** The wire types: what is written is what is read, and nothing is read past a packet's end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketReader, PacketWriter } from '../../../server/sftp/codec.js';
import { SpaceError } from '../../../storage/types.js';
import { fc } from '../../support/properties.js';

const values = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('u8' as const), value: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant('u32' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
    fc.record({ kind: fc.constant('u64' as const), value: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) }),
    fc.record({ kind: fc.constant('string' as const), value: fc.uint8Array({ maxLength: 300 }) }),
  ),
);

test('what is written is read back', () => {
  fc.assert(
    fc.property(values, (list) => {
      const writer = new PacketWriter(9, 8);
      for (const item of list) {
        if (item.kind === 'string') writer.string(Buffer.from(item.value));
        else writer[item.kind](item.value);
      }
      const bytes = writer.finish();
      assert.equal(bytes.readUInt32BE(0), bytes.length - 4);
      const reader = new PacketReader(bytes.subarray(4));
      assert.equal(reader.u8(), 9);
      for (const { kind, value } of list) {
        if (kind === 'string') assert.deepEqual(reader.string(), Buffer.from(value as Uint8Array));
        else assert.equal(reader[kind](), value);
      }
      assert.equal(reader.remaining, 0);
    }),
  );
});

test('a packet that is cut anywhere is malformed, never read past its end', () => {
  const whole = new PacketWriter(3).u32(7).string('/users.csv').u64(12).finish().subarray(4);
  for (let length = 0; length < whole.length; length++) {
    const reader = new PacketReader(whole.subarray(0, length));
    const readAll = () => [reader.u8(), reader.u32(), reader.string(), reader.u64()];
    assert.throws(readAll, { name: 'SftpError', code: 'malformed' });
  }
});

test('a string that claims four gigabytes is malformed', () => {
  assert.throws(() => new PacketReader(Buffer.from('ffffffff00', 'hex')).string(), { code: 'malformed' });
});

test('64-bit numbers beyond 2^53 are refused rather than rounded', () => {
  const read = (hex: string) => new PacketReader(Buffer.from(hex, 'hex')).u64();
  assert.equal(read('001fffffffffffff'), Number.MAX_SAFE_INTEGER);
  assert.throws(() => read('0020000000000000'), SpaceError);
  assert.throws(() => read('ffffffffffffffff'), SpaceError);
});
