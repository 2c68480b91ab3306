/** Armor as mail programs change it, in chunks of any size, and lines without an end in bounded memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasArmor, unarmor } from '../../keys/pgp/armor.js';

const message = Buffer.from(Array.from({ length: 1000 }, (_, at) => (at * 131) % 251));
const base64 = message.toString('base64');
const first = '-----BEGIN PGP MESSAGE-----';
const last = '-----END PGP MESSAGE-----';

/** @param most held back of the text, in characters; the generator gives no more before its reader took that much. */
async function read(text: string, size: number, onHeld: (held: number) => void = () => {}): Promise<Buffer> {
  let fed = 0;
  let got = 0;
  const chunks = async function* () {
    for (let at = 0; at < text.length; at += size) {
      const chunk = Buffer.from(text.slice(at, at + size), 'latin1');
      fed += chunk.length;
      onHeld(fed - (got * 4) / 3);
      yield chunk;
    }
  };
  const pieces: Buffer[] = [];
  for await (const piece of unarmor(chunks())) {
    got += piece.length;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

const wrapped = base64.replace(/.{64}/g, '$&\n');
const forms: Record<string, string> = {
  'lines of 64 characters, with a checksum': `${first}\nVersion: x\n\n${wrapped}\n=abcd\n${last}\n`,
  'CRLF, and text around it': `Dear all,\r\n\r\n${first}\r\n\r\n${wrapped.replaceAll('\n', '\r\n')}\r\n${last}\r\n-- \r\nHR`,
  'line ends of old Macs': `${first}\r\r${wrapped.replaceAll('\n', '\r')}\r${last}\r`,
  'marks of a quotation': `> ${first}\n> \n> ${wrapped.replaceAll('\n', '\n> ')}\n> ${last}\n`,
  'one line': `${first}\n\n${base64}\n${last}\n`,
  'one line, and no empty line before it': `${first}\n${base64}\n${last}`,
  'a byte order mark': `\u00ef\u00bb\u00bf${first}\n\n${base64}\n${last}\n`,
};

for (const [title, text] of Object.entries(forms))
  test(`armor with ${title}, in chunks of any size`, async () => {
    assert.ok(hasArmor(text));
    for (const size of [1, 2, 3, 64, 65, text.length]) assert.deepEqual(await read(text, size), message, `${size}`);
  });

for (const [megabytes, size] of [
  [0.05, 1],
  [12, 1021],
] as const)
  test(`a line of ${megabytes} MB in chunks of ${size} bytes is passed on as it comes`, async () => {
    const bytes = Buffer.alloc(megabytes * 1e6, 'a line without an end ');
    let most = 0;
    const text = `${first}\n${bytes.toString('base64')}\n${last}\n`;
    const given = await read(text, size, (held) => {
      most = Math.max(most, held);
    });
    assert.ok(given.equals(bytes));
    assert.ok(most < 20_000, `${most} characters were held`);
  });

for (const [title, text, reason] of [
  ['a header that is longer than any', `${first}\nComment: ${'x'.repeat(30_000)}\n\n${base64}\n${last}`, /header/],
  ['text without a beginning', 'x\n'.repeat(40_000), /no beginning/],
  ['no end', `${first}\n\n${base64}\n`, /end of its ASCII armor is missing/],
  ['other characters', `${first}\n\n${base64.slice(0, 40)}*\n${last}\n`, /other characters/],
] as const)
  test(`armor with ${title} is damaged, in chunks of any size`, async () => {
    for (const size of [1021, text.length])
      await assert.rejects(read(text, size), (error: Error) => reason.test(error.message));
  });
