/** Names the formats that people send instead of CSV, by their first bytes, with advice for the sender (rule F2). */

export interface ForeignFormat {
  name: string;
  advice: string;
}

export const excelAdvice = 'In Excel choose File, Save As, and the type "CSV UTF-8 (Comma delimited) (*.csv)".';
const csv = 'Export the data as CSV (UTF-8) instead.';
const unpack = 'Unpack it, and send the CSV file that is in it.';
const sealed =
  'Dropslot has no key that opens it. Ask your operator how to send it: the upload and the storage of Dropslot are encrypted, also without this step.';
const wide: ForeignFormat = { name: 'UTF-16 text', advice: `Export it as UTF-8. ${excelAdvice}` };
const pgpKey: ForeignFormat = {
  name: 'a PGP key',
  advice: 'Hand it to your operator instead, and never send a private key.',
};
const pgpSignature = 'Encrypt and sign the file in one step, or sign it in binary form (gpg --sign).';
const pgp: ForeignFormat = { name: 'a PGP-encrypted file', advice: sealed };

function hex(text: string): string {
  return Buffer.from(text, 'latin1').toString('hex');
}

/** First bytes, in hexadecimal digits; the longest that fit decide. */
const byBytes: readonly (ForeignFormat & { magic: string })[] = [
  {
    magic: '504b0304',
    name: 'a zip archive or an Excel workbook (.xlsx)',
    advice: `${excelAdvice} A zipped CSV that is not read must be unpacked before it is sent.`,
  },
  { magic: 'd0cf11e0', name: 'an old Excel workbook (.xls), or a workbook with a password', advice: excelAdvice },
  { magic: '25504446', name: 'a PDF document', advice: csv },
  { magic: '1f8b', name: 'a gzip archive', advice: unpack },
  { magic: '377abcaf271c', name: 'a 7z archive', advice: unpack },
  { magic: '526172211a07', name: 'a RAR archive', advice: unpack },
  { magic: '425a68', name: 'a bzip2 archive', advice: unpack },
  { magic: 'fd377a585a00', name: 'an xz archive', advice: unpack },
  { magic: '28b52ffd', name: 'a zstd archive', advice: unpack },
  { magic: 'fffe', ...wide },
  { magic: 'feff', ...wide },
  { magic: '6167652d656e6372797074696f6e2e6f7267', name: 'an age-encrypted file', advice: sealed },
  { magic: '2d2d2d2d2d424547494e20414745', name: 'an age-encrypted file', advice: sealed },
  { magic: hex('-----BEGIN PKCS7'), name: 'an S/MIME-encrypted file', advice: sealed },
  { magic: hex('-----BEGIN CMS'), name: 'an S/MIME-encrypted file', advice: sealed },
  { magic: hex('Salted__'), name: 'a file that OpenSSL encrypted', advice: sealed },
  { magic: hex('PAR1'), name: 'a Parquet file', advice: csv },
  { magic: hex('SQLite format 3'), name: 'an SQLite database', advice: csv },
  { magic: '89504e47', name: 'an image', advice: csv },
  { magic: 'ffd8ff', name: 'an image', advice: csv },
  { magic: 'fffe0000', name: 'UTF-16 or UTF-32 text', advice: 'Export it as UTF-8.' },
];

/** The beginning as Latin-1, without a byte order mark and blanks. */
const byText: readonly (ForeignFormat & { pattern: RegExp })[] = [
  { pattern: /^-----BEGIN PGP (?:PUBLIC|PRIVATE) KEY/, ...pgpKey },
  { pattern: /^-----BEGIN PGP SIGNED/, name: 'a text with a PGP signature', advice: pgpSignature },
  { pattern: /^-----BEGIN PGP SIGNATURE/, name: 'a PGP signature without its file', advice: pgpSignature },
  { pattern: /^-----BEGIN PGP/, ...pgp },
  { pattern: /^\{\\rtf/, name: 'an RTF document', advice: csv },
  { pattern: /^BEGIN:VCARD\b/i, name: 'a vCard', advice: csv },
  { pattern: /^(?:version: *\d+\s+)?dn::? /i, name: 'LDIF', advice: csv },
  { pattern: /^(?:MIME-Version|Content-Type|Received|Return-Path): /i, name: 'an email message', advice: csv },
  { pattern: /^(?:\{\s*["}]|\[\s*[{\]])/, name: 'JSON', advice: csv },
  { pattern: /^<(?:!doctype html|html|head|body|table|script)\b/i, name: 'a web page (HTML)', advice: csv },
  { pattern: /^<(?:\?xml|!--|!doctype|[a-z][\w:.-]*(?:\s+[\w:.-]+=|\s*>\s*<))/i, name: 'XML', advice: csv },
];

/** @param start the first bytes: 64, or all of a shorter file. undefined: it may be CSV. */
export function findForeign(start: Buffer): ForeignFormat | undefined {
  const known = byBytes
    .filter(({ magic }) => start.subarray(0, magic.length / 2).toString('hex') === magic)
    .sort((one, other) => other.magic.length - one.magic.length)[0];
  if (known?.magic === 'd0cf11e0' && start.includes(Buffer.from('EncryptedPackage', 'utf16le')))
    return { name: 'an Excel workbook with a password', advice: `Remove the password. ${excelAdvice}` };
  if (known !== undefined) return known;
  if (isPgp(start)) return pgp;
  const text = start.toString('latin1', 0, 64);
  if (isUnmarked(text)) return { ...wide, name: 'UTF-16 text without a byte order mark' };
  const trimmed = text.replace(/^\u00ef\u00bb\u00bf/, '').trimStart();
  return byText.find(({ pattern }) => pattern.test(trimmed));
}

/** Whether every other byte of the first characters is zero, as in UTF-16 with Latin letters. */
function isUnmarked(text: string): boolean {
  const pairs = [...text.slice(0, 16)].map((character) => character === '\0');
  return pairs.length === 16 && [0, 1].some((odd) => pairs.every((isZero, at) => isZero === (at % 2 === odd)));
}

/** Whether the first packet has a session key (RFC 9580, 5.1 and 5.3). None of these beginnings is UTF-8. */
function isPgp([tag, length = 0, third = 0, fourth = 0]: Buffer): boolean {
  if (tag === 0x84) return third === 3;
  if (tag === 0x85) return fourth === 3;
  if (tag === 0x8c) return third >= 4 && third <= 6;
  if (tag === 0xc1) return (length < 192 ? third : fourth) === 3 || third === 6;
  return tag === 0xc3 && length < 128 && third >= 4 && third <= 6;
}
