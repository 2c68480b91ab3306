/** The wire format of SSH: what is written is read back, and nothing is read past the end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeString, WireReader, WireWriter } from '../../keys/wire.js';
import { fc } from '../support/properties.js';

test('strings are read back one by one and all at once', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (list) => {
      const strings = list.map((bytes) => Buffer.from(bytes));
      const writer = new WireWriter(1);
      for (const bytes of strings) writer.string(bytes);
      const written = writer.finish();
      assert.deepEqual(written, Buffer.concat(strings.map(encodeString)));
      assert.deepEqual(new WireReader(written).strings(), strings);
    }),
  );
});

test('bytes that are cut anywhere are malformed', () => {
  const whole = new WireWriter().u8(7).u32(8).u64(9).string('ssh-ed25519').finish();
  for (let length = 0; length < whole.length; length++) {
    const reader = new WireReader(whole.subarray(0, length));
    assert.throws(() => [reader.u8(), reader.u32(), reader.bigU64(), reader.text()], {
      name: 'KeyError',
      code: 'malformed',
    });
  }
});

test('a number has no needless zeros, and is never a negative one (RFC 4251, section 5)', () => {
  const encode = (hex: string) => new WireWriter().mpint(Buffer.from(hex, 'hex')).finish().toString('hex');
  assert.equal(encode('09a378f9b2e332a7'), '0000000809a378f9b2e332a7');
  assert.equal(encode('80'), '000000020080');
  assert.equal(encode('0000'), '00000000');
  assert.equal(encode('0000007f'), '000000017f');
});
