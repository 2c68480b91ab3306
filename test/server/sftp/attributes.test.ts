/** Attributes on the wire, and the line that clients show. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLongName, readAttributes, writeAttributes } from '../../../server/sftp/attributes.js';
import { PacketReader, PacketWriter } from '../../../server/sftp/codec.js';
import type { Entry } from '../../../storage/types.js';
import { fc } from '../../support/properties.js';

const file: Entry = {
  path: '/users.csv',
  name: 'users.csv',
  kind: 'file',
  size: 1234,
  writable: true,
  mode: 0o640,
  mtimeMs: Date.UTC(2026, 0, 31, 2, 5),
  atimeMs: Date.UTC(2026, 0, 31, 2, 5),
};

function parse(packet: PacketWriter): ReturnType<typeof readAttributes> {
  const reader = new PacketReader(packet.finish().subarray(5));
  const given = readAttributes(reader);
  assert.equal(reader.remaining, 0);
  return given;
}

test('what is written is read back, in whole seconds', () => {
  const seconds = fc.integer({ min: 0, max: 0xffff_ffff });
  const sizes = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(sizes, fc.integer({ min: 0, max: 0o777 }), seconds, seconds, (size, mode, atime, mtime) => {
      const entry = { ...file, size, mode, atimeMs: atime * 1000 + 999, mtimeMs: mtime * 1000 + 1 };
      assert.deepEqual(parse(writeAttributes(new PacketWriter(105), entry)), {
        size,
        attributes: { mode, atimeMs: atime * 1000, mtimeMs: mtime * 1000 },
      });
    }),
  );
});

test('owners and extended attributes are read over, and the type bits are not a mode', () => {
  const packet = new PacketWriter(9).u32(0x8000_0006).u32(1000).u32(1000).u32(0o100600).u32(1).string('a').string('b');
  assert.deepEqual(parse(packet), { size: null, attributes: { mode: 0o600 } });
});

test('times outside of 1970 to 2106 are shown as the nearest there is', () => {
  const entry = { ...file, mtimeMs: -5000, atimeMs: Date.UTC(2200, 0) };
  const { attributes } = parse(writeAttributes(new PacketWriter(105), entry));
  assert.deepEqual([attributes.mtimeMs, attributes.atimeMs], [0, 0xffff_ffff * 1000]);
});

test('the long name is a line of ls -l', () => {
  const now = Date.UTC(2026, 1, 1);
  assert.equal(formatLongName(file, 'acme', now), '-rw-r-----    1 acme     acme         1234 Jan 31 02:05 users.csv');
  const folder: Entry = { ...file, kind: 'dir', name: 'archive', mode: 0o755, size: 0, mtimeMs: Date.UTC(2024, 5, 3) };
  assert.equal(formatLongName(folder, 'acme', now), 'drwxr-xr-x    1 acme     acme            0 Jun  3  2024 archive');
});
