/** Which files are named as something else than CSV, and that the advice is whole (rule F2). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RefusalError, refuse } from '../../../importer/codes.js';
import { readAs } from '../../../importer/read/encoding.js';
import { findForeign } from '../../../importer/read/foreignformats.js';
import { decodeText } from '../../../importer/read/utf8text.js';

const named: readonly [string | Buffer, RegExp][] = [
  ['{"users": []}', /^JSON/],
  ['[{"email": 1}]', /^JSON/],
  ['\ufeff\n {\n "a": 1}', /^JSON/],
  ['<!DOCTYPE html><html>', /HTML/],
  ['<table><tr>', /HTML/],
  ['<?xml version="1.0"?>', /^XML/],
  ['<users>\n <user>', /^XML/],
  ['<users xmlns="urn:x">', /^XML/],
  ['{\\rtf1\\ansi', /RTF/],
  [Buffer.from('377abcaf271c0004', 'hex'), /7z/],
  [Buffer.from('526172211a070100', 'hex'), /RAR/],
  [Buffer.from('User Email,Name\n', 'utf16le'), /UTF-16 text without/],
  [Buffer.from('User Email,Name\n', 'utf16le').swap16(), /UTF-16 text without/],
  [Buffer.concat([Buffer.from('d0cf11e0', 'hex'), Buffer.from('EncryptedPackage', 'utf16le')]), /with a password/],
  [Buffer.from('85010c03aabb', 'hex'), /PGP/],
  [Buffer.from('c1c04c03aabb', 'hex'), /PGP/],
  [Buffer.from('8c0d0409', 'hex'), /PGP/],
  ['-----BEGIN PGP MESSAGE-----', /PGP/],
  ['age-encryption.org/v1\n', /age/],
  ['-----BEGIN PGP SIGNED MESSAGE-----', /^a text with a PGP signature/],
  ['-----BEGIN PGP PUBLIC KEY BLOCK-----', /^a PGP key/],
  ['-----BEGIN PKCS7-----', /^an S\/MIME-encrypted file/],
  ['Salted__\u0001\u0002', /OpenSSL encrypted/],
  ['PAR1\u0015', /Parquet/],
  [Buffer.from('SQLite format 3\0'), /SQLite/],
  [Buffer.from('89504e470d0a1a0a', 'hex'), /image/],
  [Buffer.from('ffd8ffe0', 'hex'), /image/],
  [Buffer.from('fffe000055000000', 'hex'), /UTF-32/],
  [Buffer.from('fffe5500', 'hex'), /UTF-16/],
  ['BEGIN:VCARD\nVERSION:4.0', /vCard/],
  ['version: 1\n\ndn: cn=ann', /LDIF/],
  ['dn:: Y249YW5u\n', /LDIF/],
  ['MIME-Version: 1.0\nContent-Type: text/csv', /email message/],
];

test('F2 each format is named for what it is', () => {
  for (const [start, name] of named) assert.match(findForeign(Buffer.from(start as string))!.name, name, String(start));
});

test('F2 a file that is read as Windows-1252 is refused by the same list, and text is not', async () => {
  const messageOf = async (bytes: Buffer) => {
    const open = async function* () {
      for (const byte of bytes) yield Buffer.from([byte]);
    };
    const source = await readAs({ name: 'a.csv', bytes: bytes.length, sha256: '', open }, 'windows-1252');
    try {
      const pieces: Buffer[] = [];
      for await (const piece of decodeText(source.open())) pieces.push(piece);
      return Buffer.concat(pieces).toString();
    } catch (error) {
      return (error as RefusalError).refusal.message;
    }
  };
  for (const [start, name] of named) {
    const bytes = Buffer.from(start as string);
    const shown = new RegExp(name.source.replace('^', ''));
    assert.match(await messageOf(bytes), shown, String(start));
  }
  assert.equal(await messageOf(Buffer.from('\xc4mter,b\n\x80', 'latin1')), 'Ämter,b\n€');
});

test('F2 text that may be CSV is not named', () => {
  for (const start of ['', 'User Email', '[User] Email,b', '<Name>,x', 'Ämter,b', '{x},y', 'a\0\0\0', '"{""a"""'])
    assert.equal(findForeign(Buffer.from(start)), undefined, start);
});

test('F2 the advice is never cut, and an encrypted file is not asked for in the clear', () => {
  for (const start of [...named.map(([bytes]) => Buffer.from(bytes as string)), Buffer.from('PK\x03\x04')]) {
    const { name, advice } = findForeign(start)!;
    assert.ok(refuse('not_csv', { what: name, advice }).message.endsWith(advice));
    if (/encrypted/i.test(name)) assert.doesNotMatch(advice, /Send the CSV/i);
  }
});
