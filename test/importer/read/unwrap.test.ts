/** Packed files: which are read, and how the others are refused (rule F2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { RefusalError } from '../../../importer/codes.js';
import { readAs } from '../../../importer/read/encoding.js';
import { unwrap } from '../../../importer/read/unwrap.js';
import { decodeText } from '../../../importer/read/utf8text.js';
import { makeZip } from '../../support/zipfiles.js';

const csv = `User Email,User Name\n${Array.from({ length: 500 }, (_, n) => `u${n}@acme.test,Ä ${n * 7919}\n`).join('')}`;
const users = { name: 'users.csv', text: csv };
const noKeys = {
  options: {},
  readKeys: async () => ({ own: [], customers: [], openPrivate: async () => '' }),
  now: Date.now,
};
const limits = { maxUnpackedBytes: 64 * 1024 ** 2, maxUnpackRatio: 200 };

async function read(bytes: Buffer, pieceBytes = 65_536, given = limits): Promise<string> {
  const open = async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  };
  const source = await readAs(unwrap({ name: 'a', bytes: bytes.length, sha256: '', open }, given, noKeys), 'utf-8');
  const pieces: Buffer[] = [];
  for await (const piece of decodeText(source.open())) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function refusalOf(bytes: Buffer, given = limits): Promise<string> {
  try {
    await read(bytes, 65_536, given);
    return 'read';
  } catch (error) {
    assert.ok(error instanceof RefusalError, String(error));
    return `${error.refusal.code}: ${error.refusal.message}`;
  }
}

const descriptors = [true, false].flatMap((isSigned) => [true, false].map((isLarge) => ({ isSigned, isLarge })));
const beside = { name: '__MACOSX/._users.csv', text: 'Mac OS X' };

const readable: readonly [string, Buffer][] = [
  ['no layer', Buffer.from(csv)],
  ['gzip', gzipSync(csv)],
  ['gzip of two members', Buffer.concat([gzipSync(csv.slice(0, 100)), gzipSync(csv.slice(100))])],
  ['zip', makeZip([users])],
  ['zip, stored', makeZip([{ ...users, method: 0 }])],
  ['zip64', makeZip([{ ...users, isZip64: true }])],
  ['zip64, stored', makeZip([{ ...users, isZip64: true, method: 0 }])],
  ['zip with a comment', makeZip([users], 'export')],
  [
    'zip with a folder',
    makeZip([
      { name: 'out/', text: '', method: 0 },
      { ...users, name: 'out/users.csv' },
    ]),
  ],
  ['zip of macOS', makeZip([users, { name: '__MACOSX/', text: '', method: 0 }, beside])],
  ...descriptors.map(
    (descriptor) => [`zip with ${JSON.stringify(descriptor)}`, makeZip([{ ...users, descriptor }])] as [string, Buffer],
  ),
];

for (const [name, bytes] of readable)
  test(`F2 ${name} is read, also byte by byte`, async () => {
    assert.equal(await read(bytes), csv);
    assert.equal(await read(bytes, 1), csv);
  });

const broken = gzipSync(csv);
broken[broken.length - 6]! ^= 1;

const refused: readonly [string, Buffer, RegExp][] = [
  ['gzip, wrong checksum', broken, /^packed_damaged: The gzip file is damaged: incorrect data check/],
  ['gzip, cut off', gzipSync(csv).subarray(0, 900), /^packed_damaged: The gzip file is damaged: it ends too early/],
  ['gzip, zeros behind it', Buffer.concat([gzipSync(csv), Buffer.alloc(9)]), /^packed_damaged: .*bytes after its end/],
  ['gzip, bytes behind it', Buffer.concat([gzipSync(csv), Buffer.alloc(9, 'x')]), /^packed_damaged: The gzip file/],
  ['gzip in gzip', gzipSync(gzipSync(csv)), /^wrapped_twice: The file is a gzip file with a gzip file in it/],
  ['zip in zip', makeZip([{ name: 'a.zip', text: makeZip([users]) }]), /^wrapped_twice: /],
  ['gzip of a PDF', gzipSync('%PDF-1.7'), /^not_csv: This is a PDF document/],
  ['gzip of nothing is empty', gzipSync(''), /^read/],
  [
    'two files',
    makeZip([users, { name: 'teams.csv', text: 'Team Name\n' }]),
    /^zip_content: .*several files: users.csv, teams.csv.* Send each/,
  ],
  ['the same name twice', makeZip([users, users]), /^zip_content: .*users.csv twice/],
  ['no file', makeZip([]), /^zip_content: .*has no file/],
  ['only a folder', makeZip([{ name: 'a/', text: '', method: 0 }]), /^zip_content: .*has no file/],
  ['a password', makeZip([{ ...users, flags: 1 }]), /^zip_content: .*has a password.*without a password/],
  ['an AES password', makeZip([{ ...users, method: 99 }]), /^zip_content: .*has a password/],
  ['another compression', makeZip([{ ...users, method: 14 }]), /^zip_content: .*method 14.*Deflate/],
  [
    'stored without a size',
    makeZip([{ ...users, method: 0, descriptor: descriptors[0]! }]),
    /^zip_content: .*how long/,
  ],
  ['a part of several', Buffer.concat([Buffer.from('504b0708', 'hex'), makeZip([users])]), /^zip_content: .*divided/],
  [
    'a workbook',
    makeZip([{ name: '[Content_Types].xml', text: '<x/>' }]),
    /^not_csv: .*an Excel workbook \(.xlsx\).*Save As/,
  ],
  ['a workbook in another order', makeZip([{ name: 'xl/workbook.xml', text: '<x/>' }]), /^not_csv: .*Excel workbook/],
  [
    'an OpenDocument sheet',
    makeZip([{ name: 'mimetype', text: 'application/', method: 0 }]),
    /^not_csv: .*OpenDocument/,
  ],
  [
    'a workbook in a zip',
    makeZip([{ name: 'a.xlsx', text: makeZip([{ name: '_rels/.rels', text: '' }]) }]),
    /^wrapped_twice/,
  ],
  ['a wrong checksum', makeZip([{ ...users, crc: 1 }]), /^packed_damaged: .*checksum is wrong/],
  [
    'a wrong checksum behind',
    makeZip([{ ...users, crc: 1, descriptor: descriptors[0]! }]),
    /^packed_damaged: .*checksum/,
  ],
  ['a file that the list lacks', makeZip([users, { ...beside, isHidden: true }]), /^packed_damaged: .*list of files/],
  ['bytes behind the end', Buffer.concat([makeZip([users]), Buffer.from('x')]), /^packed_damaged: .*after its end/],
  [
    'a hostile name',
    makeZip([users, { name: 'a\n\u202e.csv', text: 'x' }]),
    /several files: users.csv, "a\\u000a\\u202e.csv"/,
  ],
];

for (const [name, bytes, expected] of refused)
  test(`F2 ${name}: refused with what to do`, async () => {
    assert.match(await refusalOf(bytes), expected);
  });

test('F2 an archive that was cut off anywhere is refused', async () => {
  const text = 'User Email\na@acme.test\n';
  for (const whole of [
    gzipSync(text),
    makeZip([{ ...users, text }]),
    makeZip([{ ...users, text, descriptor: descriptors[0]! }]),
  ])
    for (let length = 4; length < whole.length; length++)
      assert.match(await refusalOf(whole.subarray(0, length)), /^(packed_damaged|zip_content)/, String(length));
});

test('F9 a bomb is refused at the limits, of its size and of its ratio', async () => {
  const zeros = Buffer.alloc(48 * 1024 ** 2, 'a');
  for (const bomb of [
    gzipSync(zeros),
    makeZip([{ ...users, text: zeros }]),
    makeZip([users, { ...beside, text: zeros }]),
  ]) {
    const most = { maxUnpackedBytes: 1024 ** 2, maxUnpackRatio: 100_000 };
    assert.match(await refusalOf(bomb, most), /^(unpacks_too_large: .* 1048576 bytes|zip_content: )/);
    assert.match(await refusalOf(bomb), /^(unpacks_too_much: .* 200 times|zip_content: )/);
  }
});

test('a reader that stops early closes the file', async () => {
  let isClosed = false;
  const open = async function* () {
    try {
      for (const byte of gzipSync(csv)) yield Buffer.from([byte]);
    } finally {
      isClosed = true;
    }
  };
  const { open: plain } = unwrap({ name: 'a', bytes: 1, sha256: '', open }, limits, noKeys);
  for await (const chunk of plain()) {
    assert.ok(chunk.length > 0);
    break;
  }
  assert.ok(isClosed);
});
