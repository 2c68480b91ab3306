/** PGP files: which are read, by which key, and how the others are refused (rule F2). */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as openpgp from 'openpgp';
import type { PgpKeyRow } from '../../../db/control/pgpkeys.js';
import { RefusalError } from '../../../importer/codes.js';
import type { PgpContext } from '../../../importer/read/pgp.js';
import { unwrap } from '../../../importer/read/unwrap.js';
import { decodeText } from '../../../importer/read/utf8text.js';
import { generatePgpKey, type PgpKeyFacts, readPgpKey } from '../../../keys/pgp/pgpkey.js';
import { makeZip } from '../../support/zipfiles.js';

const now = Date.UTC(2026, 2, 1);
const csv = `User Email,User Name\n${Array.from({ length: 400 }, (_, n) => `u${n}@acme.test,Ä ${(n * 7919) % 1013}\n`).join('')}`;
const limits = { maxUnpackedBytes: 64 * 1024 ** 2, maxUnpackRatio: 200 };

type Made = PgpKeyFacts & { privateKey: string };
let rsa: Made;
let curve: Made;
let nist: Made;
let signer: Made;
let stranger: Made;

before(async () => {
  const make = (type: 'rsa3072' | 'curve25519' | 'nistp256', name: string) =>
    generatePgpKey(type, { name, email: `${name}@acme.test` }, now - 86_400_000, 0);
  [rsa, curve, nist, signer, stranger] = await Promise.all([
    make('rsa3072', 'rsa'),
    make('curve25519', 'curve'),
    make('nistp256', 'nist'),
    make('curve25519', 'signer'),
    make('curve25519', 'stranger'),
  ]);
});

function row(key: Made, kind: 'own' | 'customer', more: Partial<PgpKeyRow> = {}): PgpKeyRow {
  const { fingerprint, keyIds, algorithm, userId, publicKey, createdAt } = key;
  const facts = { fingerprint, keyIds, algorithm, userId, publicKey, createdAt };
  return {
    ...facts,
    id: 1,
    org: 'acme',
    kind,
    sealedPrivateKey: key.privateKey,
    sealedTo: '',
    expiresAt: null,
    revokedAt: null,
    ...more,
  };
}

interface Given {
  own?: PgpKeyRow[];
  customers?: PgpKeyRow[];
  options?: PgpContext['options'];
  name?: string;
  pieceBytes?: number;
}

async function read(
  bytes: Buffer,
  { own, customers, options = {}, name = 'users.csv.pgp', pieceBytes = 65_536 }: Given = {},
) {
  const keys = {
    own: own ?? [rsa, curve, nist].map((key) => row(key, 'own')),
    customers: customers ?? [row(signer, 'customer')],
    openPrivate: async (key: PgpKeyRow) => key.sealedPrivateKey!,
  };
  let opened = 0;
  const open = async function* () {
    opened++;
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  };
  const context = { options, readKeys: async () => keys, now: () => now };
  const source = unwrap({ name, bytes: bytes.length, sha256: '', open }, limits, context);
  const pieces: Buffer[] = [];
  try {
    for await (const piece of decodeText(source.open())) pieces.push(piece);
  } catch (error) {
    assert.ok(error instanceof RefusalError, String((error as Error).stack));
    assert.deepEqual(pieces, [], 'nothing of a refused file is passed on');
    if (!/^not_|^binary/.test(error.refusal.code)) {
      await assert.rejects(async () => {
        for await (const _ of source.open());
      }, RefusalError);
      assert.equal(opened, 1, 'a refused file is not read again');
    }
    return `${error.refusal.code}: ${error.refusal.message}`;
  }
  return Buffer.concat(pieces).toString();
}

interface Form {
  to?: Made[];
  by?: Made;
  config?: openpgp.PartialConfig;
  armor?: boolean;
  content?: string | Buffer;
  passwords?: string;
  hidden?: boolean;
}

async function encrypt({
  to = [],
  by,
  config = {},
  armor = false,
  content = csv,
  passwords,
  hidden = false,
}: Form): Promise<Buffer> {
  const message = await openpgp.createMessage({ binary: new Uint8Array(Buffer.from(content as string)) });
  const made = await openpgp.encrypt({
    message,
    format: armor ? 'armored' : 'binary',
    date: new Date(now),
    wildcard: hidden,
    ...(to.length > 0 && {
      encryptionKeys: await Promise.all(to.map((key) => openpgp.readKey({ armoredKey: key.publicKey }))),
    }),
    ...(by !== undefined && { signingKeys: await openpgp.readPrivateKey({ armoredKey: by.privateKey }) }),
    ...(passwords !== undefined && { passwords }),
    config,
  } as Parameters<typeof openpgp.encrypt>[0]);
  return Buffer.from(made as unknown as Uint8Array);
}

/** Packets that the library reads and no longer writes by itself. */
interface OldPacket {
  packets: unknown;
  aeadAlgorithm?: number;
  encrypt(algorithm: number, key: Uint8Array, config: unknown): Promise<void>;
}

/** A message of old programs: without protection of its integrity (RFC 4880, 5.7), or the AEAD of GnuPG 2.3 and later. */
async function encryptOld(to: Made, encrypted: OldPacket): Promise<Buffer> {
  const literal = new openpgp.LiteralDataPacket() as unknown as { setBytes(bytes: Uint8Array, format: number): void };
  literal.setBytes(new Uint8Array(Buffer.from(csv)), openpgp.enums.literal.binary);
  const list = new openpgp.PacketList<openpgp.AnyPacket>();
  list.push(literal as unknown as openpgp.AnyPacket);
  encrypted.packets = list;
  const keys = [await openpgp.readKey({ armoredKey: to.publicKey })];
  const sessionKey = await openpgp.generateSessionKey({ encryptionKeys: keys });
  await encrypted.encrypt(openpgp.enums.symmetric.aes256, sessionKey.data, openpgp.config);
  const head = await openpgp.encryptSessionKey({ ...sessionKey, encryptionKeys: keys, format: 'binary' });
  const body = new openpgp.PacketList<openpgp.AnyPacket>();
  body.push(encrypted as unknown as openpgp.AnyPacket);
  const written = body.write() as Uint8Array | { readToEnd(join: (parts: Uint8Array[]) => Buffer): Promise<Buffer> };
  const bytes = 'readToEnd' in written ? await written.readToEnd((parts) => Buffer.concat(parts)) : written;
  return Buffer.concat([head as unknown as Uint8Array, bytes]);
}

const zip = { preferredCompressionAlgorithm: openpgp.enums.compression.zip };
const aead = (preferredAEADAlgorithm: openpgp.enums.aead) => ({ aeadProtect: true, preferredAEADAlgorithm });

test('F2 messages to each kind of key are read: compressed, signed, in armor, of AEAD forms', async () => {
  const forms: [string, Form][] = [
    ['RSA', { to: [rsa] }],
    ['Curve25519', { to: [curve] }],
    ['NIST P-256', { to: [nist] }],
    ['several keys', { to: [stranger, curve] }],
    ['a hidden key', { to: [curve], hidden: true }],
    ['compressed', { to: [curve], config: zip }],
    ['zlib', { to: [curve], config: { preferredCompressionAlgorithm: openpgp.enums.compression.zlib } }],
    ['signed', { to: [curve], by: signer }],
    ['signed by a stranger', { to: [curve], by: stranger, config: zip }],
    ['in armor', { to: [curve], armor: true, by: signer }],
    ['OCB', { to: [curve], config: aead(openpgp.enums.aead.ocb) }],
    ['EAX', { to: [rsa], config: aead(openpgp.enums.aead.eax) }],
    ['GCM', { to: [rsa], config: aead(openpgp.enums.aead.gcm), by: signer }],
    ['a password beside the key', { to: [curve], passwords: 'x' }],
    ['gzip in it', { to: [curve], content: gzipSync(csv) }],
    ['a zip in it', { to: [curve], content: makeZip([{ name: 'users.csv', text: csv }]) }],
  ];
  for (const [name, form] of forms) {
    const message = await encrypt(form);
    assert.equal(await read(message), csv, name);
    if (form.content === undefined) assert.equal(await read(gzipSync(message)), csv, `${name}, in gzip`);
  }
  assert.equal(await read(await encrypt({ to: [curve], config: zip }), { pieceBytes: 7 }), csv);
});

test('F2 armor that mail programs changed is read', async () => {
  const armor = (await encrypt({ to: [curve], armor: true, by: signer })).toString();
  const body = armor.replace(/-----[^-]+-----|\s/g, '');
  const changed = {
    crlf: armor.replace(/\n/g, '\r\n'),
    quoted: armor.replace(/^/gm, '> '),
    'blanks at the ends': armor.replace(/$/gm, '  '),
    'text around it': `Dear all,\n\nplease find\n${armor}\n-- \nAnn\n`,
    'other lines': armor.replace(
      /-----\n\n([\s\S]+?)\n=/,
      (_, text: string) =>
        `-----\nVersion: 1\nComment: x\n\n${text.replace(/\n/g, '').replace(/(.{100})/g, '$1\n')}\n=`,
    ),
    'one line': `-----BEGIN PGP MESSAGE-----\n\n${body.replace(/=[\w+/]{4}$/, '')}\n-----END PGP MESSAGE-----`,
    mark: `\ufeff${armor}`,
  };
  for (const [name, text] of Object.entries(changed)) {
    assert.equal(await read(Buffer.from(text)), csv, name);
    assert.equal(await read(Buffer.from(text), { pieceBytes: 3 }), csv, `${name}, in small pieces`);
  }
  const half = armor.slice(0, armor.length / 2);
  assert.match(await read(Buffer.from(half)), /^pgp_damaged: .*end of its ASCII armor is missing/);
  assert.match(
    await read(Buffer.from(armor.replace(/\n(\w{20})/, '\n$1?'))),
    /^pgp_damaged: .*other characters than base64/,
  );
});

test('F2 a message for no key of ours names the keys that it is for', async () => {
  const ids = stranger.keyIds.at(-1)!;
  assert.match(
    await read(await encrypt({ to: [stranger] })),
    new RegExp(`^pgp_other_key: .*for the key ${ids}, .*pgp-public-key.asc`),
  );
  assert.match(
    await read(await encrypt({ to: [stranger] }), { own: [] }),
    new RegExp(`^pgp_no_key: .*${ids}.*Ask your operator`),
  );
  assert.match(await read(await encrypt({ passwords: 'x' })), /^pgp_password: .*password and for no key/);
  const revoked = [row(curve, 'own', { revokedAt: now - 1 }), row(rsa, 'own')];
  assert.match(
    await read(await encrypt({ to: [curve] }), { own: revoked }),
    new RegExp(`^pgp_old_key: .*${curve.fingerprint}, which was revoked`),
  );
  const expired = [row(curve, 'own', { expiresAt: now - 1 })];
  assert.match(
    await read(await encrypt({ to: [curve] }), { own: expired }),
    /^pgp_old_key: .*which expired on 2026-02-28/,
  );
  assert.equal(
    await read(await encrypt({ to: [curve] }), { own: [row(rsa, 'own'), row(curve, 'own', { expiresAt: now + 1 })] }),
    csv,
  );
});

test('F2 a message that was cut off or changed anywhere is refused, and none of it is used', async () => {
  const content = 'User Email\na@acme.test\n';
  const strict = /^(pgp_|not_utf8|binary|not_csv|packed_damaged)/;
  for (const config of [zip, aead(openpgp.enums.aead.ocb)]) {
    const whole = await encrypt({ to: [curve], config, content });
    for (let length = 20; length < whole.length; length += 3)
      assert.match(await read(whole.subarray(0, length)), strict, String(length));
    for (const length of [20, 60]) assert.match(await read(whole.subarray(0, length)), /^pgp_damaged: .*cut off/);
    for (let at = 3; at < whole.length; at += 5) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x20;
      assert.match(await read(changed), strict, `byte ${at} of ${whole.length}`);
    }
  }
  const long = await encrypt({ to: [curve] });
  long[long.length - 40]! ^= 1;
  assert.match(await read(long), /^pgp_damaged: .*cut off or changed/);
});

test('F2 without protection of its integrity a message is read only where a setting allows it', async () => {
  const old = await encryptOld(curve, new openpgp.SymmetricallyEncryptedDataPacket() as unknown as OldPacket);
  assert.match(await read(old), /^pgp_unprotected: .*integrity/);
  assert.equal(await read(old, { options: { allowUnprotectedPgp: true } }), csv);
});

test('F2 the OCB packets of GnuPG are read', async () => {
  const packet = new openpgp.AEADEncryptedDataPacket() as unknown as OldPacket;
  packet.aeadAlgorithm = openpgp.enums.aead.ocb;
  assert.equal(await read(await encryptOld(curve, packet)), csv);
});

test('F2 requireEncryption and requireSignature refuse all other files', async () => {
  const options = { requireEncryption: true };
  const signed = { requireSignature: [signer.fingerprint] };
  assert.match(await read(Buffer.from(csv), { options }), /^must_encrypt: .*pgp-public-key.asc/);
  assert.match(await read(gzipSync(csv), { options }), /^must_encrypt/);
  assert.equal(await read(await encrypt({ to: [curve] }), { options }), csv);
  assert.match(
    await read(Buffer.from(csv), { options: signed }),
    new RegExp(`^must_sign: .*${signer.fingerprint}; this file is not signed`),
  );
  assert.match(await read(await encrypt({ to: [curve] }), { options: signed }), /^must_sign: .*not signed/);
  const wrong = await encrypt({ to: [curve], by: stranger });
  assert.match(
    await read(wrong, { options: signed }),
    new RegExp(`^must_sign: .*signed with the key ${stranger.keyIds[0]}`),
  );
  assert.match(
    await read(wrong, { options: signed, customers: [row(signer, 'customer'), row(stranger, 'customer')] }),
    /^must_sign/,
  );
  const right = await encrypt({ to: [curve], by: signer });
  assert.equal(await read(right, { options: { ...options, ...signed } }), csv);
  const revoked = [row(signer, 'customer', { revokedAt: now - 1 })];
  assert.match(await read(right, { options: signed, customers: revoked }), /^must_sign/);
  const message = await openpgp.createMessage({ binary: new Uint8Array(Buffer.from(csv)) });
  const signingKeys = await openpgp.readPrivateKey({ armoredKey: signer.privateKey });
  const only = Buffer.from(
    (await openpgp.sign({ message, signingKeys, format: 'binary', date: new Date(now) })) as Uint8Array,
  );
  assert.equal(await read(only, { options: signed }), csv);
  assert.match(await read(only, { options }), /^must_encrypt/);
  const forged = Buffer.from(only);
  forged[forged.indexOf('u100@')]! ^= 1;
  assert.match(await read(forged), /^pgp_bad_signature/);
});

test('F9 a bomb inside a message is refused at the limits', async () => {
  const bomb = await encrypt({ to: [curve], config: zip, content: Buffer.alloc(40 * 1024 ** 2, 'a') });
  assert.match(await read(bomb), /^unpacks_too_much: The PGP file/);
});

test('F2 a message in a message, and other PGP files, are refused by their names', async () => {
  const inner = await encrypt({ to: [curve] });
  assert.match(
    await read(await encrypt({ to: [curve], content: inner })),
    /^wrapped_twice: The file is a PGP file with a PGP file/,
  );
  assert.match(await read(Buffer.from(signer.publicKey)), /^not_csv: This is a PGP key/);
  assert.match(
    await read(Buffer.from('-----BEGIN PGP SIGNATURE-----\n\nabcd')),
    /^not_csv: .*signature without its file/,
  );
  assert.match(
    await read(Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n')),
    /^not_csv: .*a text with a PGP signature/,
  );
});

test('a key is read with its passphrase, and nothing else is a key', async () => {
  const locked = await openpgp.encryptKey({
    privateKey: await openpgp.readPrivateKey({ armoredKey: curve.privateKey }),
    passphrase: 'secret',
  });
  const bytes = Buffer.from(locked.armor());
  assert.equal((await readPgpKey(bytes, now, 'secret')).privateKey !== null, true);
  await assert.rejects(readPgpKey(bytes, now, null), /has a passphrase/);
  await assert.rejects(readPgpKey(bytes, now, 'wrong'), /does not open/);
  await assert.rejects(readPgpKey(Buffer.from(csv), now, null), /no OpenPGP key/);
  await assert.rejects(
    readPgpKey(Buffer.from('-----BEGIN PGP MESSAGE-----\n\nxx\n'), now, null),
    /a PGP message, not a key/,
  );
  assert.equal(
    (await readPgpKey(Buffer.from(`text\r\n${signer.publicKey.replace(/\n/g, '\r\n')}`), now, null)).fingerprint,
    signer.fingerprint,
  );
});
