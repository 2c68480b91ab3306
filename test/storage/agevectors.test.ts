/** The published test vectors of the age format (the package cctv-age), for the kinds of identity that seal our files. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { inflateSync } from 'node:zlib';
import { Decrypter } from 'age-encryption';
import * as files from 'cctv-age';
import type { DiskFile } from '../../storage/disk.js';
import { BlobReader } from '../../storage/sealedreader.js';
import { SpaceError } from '../../storage/types.js';

interface Vector {
  name: string;
  fields: Map<string, string[]>;
  body: Buffer;
}

/** Lines of `field: value`, a blank line, and the age file. */
function parse([name, bytes]: [string, Uint8Array]): Vector {
  const whole = Buffer.from(bytes);
  const end = whole.indexOf('\n\n');
  const fields = new Map<string, string[]>();
  for (const line of whole.subarray(0, end).toString().split('\n')) {
    const [field, value] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)];
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  const body = whole.subarray(end + 2);
  return { name, fields, body: fields.has('compressed') ? inflateSync(body) : body };
}

/** As the disk gives a file. */
function asFile(content: Buffer): DiskFile {
  const read = async (target: Buffer, from: number, length: number, position: number) => ({
    bytesRead: content.copy(target, from, position, Math.min(content.length, position + length)),
  });
  return { read, stat: async () => ({ size: content.length }), close: async () => {} } as unknown as DiskFile;
}

async function openAll({ body, fields }: Vector): Promise<Buffer> {
  const reader = await BlobReader.open('vector', asFile(body), fields.get('identity')!.join('\n'));
  const parts: Buffer[] = [];
  for await (const part of reader.stream()) parts.push(Buffer.from(part));
  const whole = Buffer.concat(parts);
  assert.deepEqual(await reader.read(0, reader.size), whole);
  return whole;
}

const vectors = Object.entries(files as Record<string, Uint8Array>)
  .filter(([, bytes]) => bytes instanceof Uint8Array)
  .map(parse);
const ours = vectors.filter(({ fields }) => fields.has('identity') && !fields.has('armored'));
const byPassphrase = vectors.filter(({ fields }) => fields.has('passphrase') && !fields.has('armored'));

test('there are vectors of each kind', () => {
  for (const kind of ['x25519', 'hybrid', 'stream', 'hmac', 'stanza'])
    assert.ok(ours.filter(({ name }) => name.startsWith(kind)).length >= 3, kind);
  assert.ok(byPassphrase.length >= 10);
});

for (const vector of ours) {
  const { name, fields } = vector;
  const expected = fields.get('expect')![0]!;
  test(`${name}: ${expected}`, async () => {
    if (expected === 'success') {
      const payload = createHash('sha256')
        .update(await openAll(vector))
        .digest('hex');
      assert.equal(payload, fields.get('payload')![0]);
    } else await assert.rejects(openAll(vector), (error) => error instanceof SpaceError && error.code === 'damaged');
  });
}

// The master identity may be sealed by a passphrase: the library opens it.
for (const { name, fields, body } of byPassphrase) {
  const expected = fields.get('expect')![0]!;
  test(`${name}: ${expected}`, async () => {
    const decrypter = new Decrypter();
    for (const passphrase of fields.get('passphrase')!) decrypter.addPassphrase(passphrase);
    if (expected === 'success') {
      const payload = createHash('sha256')
        .update(await decrypter.decrypt(body))
        .digest('hex');
      assert.equal(payload, fields.get('payload')![0]);
    } else await assert.rejects(decrypter.decrypt(body));
  });
}
