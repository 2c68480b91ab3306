/** Key files after mail programs, editors and web pages: the same keys with the same terms, or an error; and private keys. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { generatePair } from '../../../keys/host/pair.js';
import { type ParsedKey, parsePublicKeys } from '../../../keys/login/publickeys.js';
import { missingModern, modernClient } from '../../support/modern.js';
import { temporaryFolder } from '../../support/temporary.js';

const hasKeygen = spawnSync('ssh-keygen', ['-?']).error === undefined;
const puttygen = modernClient('stable', 'puttygen');

const lines = [
  generatePair('ed25519').public.trim(),
  ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 }).public,
  ssh2.utils.generateKeyPairSync('rsa', { bits: 3072 }).public,
].map((line) => line.split(' ').slice(0, 2).join(' '));
const options = [
  '',
  'from="192.0.2.0/24,198.51.100.7" ',
  'restrict,permission="upload-only",expiry-time="20371231" ',
  'from="2001:db8::/32",no-pty,command="internal-sftp" ',
];
const comments = ['', ' hr@acme.test', ' HR system of Acme, Inc.'];
/** Every key with every option and comment. */
const originals = lines.flatMap((line) =>
  options.flatMap((option) => comments.map((comment) => `${option}${line}${comment}`)),
);

const wrapAt = (text: string, column: number): string =>
  text
    .split('\n')
    .flatMap((line) => line.match(new RegExp(`.{1,${column}}`, 'g')) ?? [''])
    .join('\n');
/** As mail programs do: at a blank, where the line has one. */
const wrapAtBlanks = (text: string, column: number): string =>
  text
    .split('\n')
    .map((line) =>
      line.split(' ').reduce((done, word) => {
        const last = done.slice(done.lastIndexOf('\n') + 1);
        return done === '' ? word : `${done}${last.length + word.length < column ? ' ' : '\n'}${word}`;
      }, ''),
    )
    .join('\n');
const quote = (text: string, mark: string): string => text.replace(/^/gm, mark);
const quotedPrintable = (text: string): string =>
  text
    .replace(/[=\u0080-\uffff]/g, (one) =>
      [...Buffer.from(one)].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
    .split('\n')
    .map((line) => line.match(/.{1,73}(?![0-9A-F]{0,1}$)|.+/g)?.join('=\r\n') ?? '')
    .join('\r\n');

const mangles: Record<string, (text: string) => string | Buffer> = {
  'UTF-16, little-endian': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le'),
  'UTF-16, big-endian': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
  'UTF-16 without a mark': (text) => Buffer.from(text, 'utf16le'),
  'UTF-16 without a mark, big-endian': (text) => Buffer.from(text, 'utf16le').swap16(),
  'UTF-8 with a mark': (text) => Buffer.from(`\uFEFF${text}`),
  'Windows line ends': (text) => text.replaceAll('\n', '\r\n'),
  'old Macintosh line ends': (text) => text.replaceAll('\n', '\r'),
  'a quoted mail': (text) => quote(text, '> '),
  'a mail quoted three times': (text) => quote(text, '> >>'),
  'lines of 76 characters': (text) => wrapAt(text, 76),
  'lines of 72 characters, broken at blanks': (text) => wrapAt(wrapAtBlanks(text, 72), 72),
  'lines of 64 characters in a quoted mail': (text) => quote(wrapAt(text, 64), '> '),
  'quoted-printable': quotedPrintable,
  'quoted-printable in a quoted mail': (text) => quote(quotedPrintable(text), '> '),
  'a quoted mail in quoted-printable': (text) => quotedPrintable(quote(text, '> ')),
  'a line of blanks behind the key': (text) => `${text}   \n   \n`,
  'fixed and invisible blanks': (text) => text.replaceAll(' ', '\u00a0').replace(/A/g, 'A\u200b'),
  'curly quotes': (text) => text.replace(/"([^"]*)"/g, '“$1”'),
};

for (const [name, mangle] of Object.entries(mangles))
  test(`keys after ${name}`, () => {
    for (const original of originals) {
      const wanted = parsePublicKeys(original);
      const found = parsePublicKeys(mangle(original));
      assert.deepEqual(
        found.map(({ publicKey, terms }) => ({ publicKey, terms })),
        wanted.map(({ publicKey, terms }) => ({ publicKey, terms })),
        original,
      );
    }
    // Several keys in one file, each with its own terms.
    const file = [originals[1], originals[14], originals[30]].join('\n');
    assert.deepEqual(
      parsePublicKeys(mangle(file)).map(({ terms }) => terms),
      parsePublicKeys(file).map(({ terms }) => terms),
    );
  });

test('a mangled key has the terms of its original, or is refused: never others', () => {
  let state = 12;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
  const steps = Object.values(mangles).filter((mangle) => typeof mangle('a') === 'string') as ((t: string) => string)[];
  let read = 0;
  for (let round = 0; round < 400; round++) {
    const original = originals[random(originals.length)]!;
    let text = wrapAt(original, 30 + random(100));
    for (let step = random(3); step > 0; step--) text = steps[random(steps.length)]!(text);
    // A file that is half written, too.
    if (random(4) === 0) text = text.slice(0, random(text.length));
    const [wanted] = parsePublicKeys(original);
    try {
      const found = parsePublicKeys(text);
      assert.equal(found.length, 1, text);
      assert.deepEqual(found[0]!.terms, wanted!.terms, text);
      assert.equal(found[0]!.publicKey, wanted!.publicKey);
      read++;
    } catch (error) {
      assert.equal((error as Error).name, 'KeyError', String(error));
    }
  }
  assert.ok(read > 150, `${read} read`);
});

test('a block in other text, a key in quotes, and base64 without its type', () => {
  const { publicKey: generated } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = generated.export({ type: 'spki', format: 'pem' }).toString();
  const [key] = parsePublicKeys(pem) as [ParsedKey];
  const line = `ssh-rsa ${key.publicKey}`;
  const block = `---- BEGIN SSH2 PUBLIC KEY ----\nComment: x\n${wrapAt(key.publicKey, 70)}\n---- END SSH2 PUBLIC KEY ----`;
  const read = [
    `Certificate:\n    Data:\n        Version: 3 (0x2)\n${pem}`,
    `Bag Attributes\n    localKeyID: 01 00\nKey Attributes: <No Attributes>\n${pem}`,
    `> Hello,\n> this is our key:\n>\n${quote(pem, '> ')}\n> Regards, Ann`,
    `Our key:\n${block}\nRegards`,
    `"${line}"`,
    `'${line} comment of it'\r\n`,
    key.publicKey,
    `${key.publicKey} comment`,
  ];
  for (const text of read) assert.equal(parsePublicKeys(text)[0]!.publicKey, key.publicKey, text);
  const refused = [
    `from="192.0.2.0/24"\n${pem}`,
    `permission="upload"\n\n${block}`,
    `Hello\n${line}`,
    `Hello\n${pem}\n${line}`,
    `Hello\n${pem.slice(0, -40)}`,
    `from="192.0.2.0/24"\n${key.publicKey}`,
    `AAAA${'x'.repeat(80)}`,
  ];
  for (const text of refused) assert.throws(() => parsePublicKeys(text), { name: 'KeyError' }, text);
});

test('the certificate of an authority beside another one is no login key', (t) => {
  const folder = temporaryFolder(t);
  const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const make = (name: string, ...more: string[]) =>
    run(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      'key',
      '-out',
      name,
      '-subj',
      `/CN=${name}`,
      '-days',
      '9',
      ...more,
    );
  make('authority');
  make('leaf', '-addext', 'basicConstraints=critical,CA:FALSE');
  const [authority, leaf] = ['authority', 'leaf'].map((name) => readFileSync(join(folder, name), 'utf8'));
  for (const text of [authority!, leaf!]) assert.equal(parsePublicKeys(text).length, 1);
  assert.throws(() => parsePublicKeys(`${leaf}${authority}`), {
    code: 'refused',
    message: /certificate of an authority/,
  });
});

test('a commented key stays commented, also when it was wrapped', () => {
  const [first, second] = [originals[0]!, originals[12]!];
  const file = `# ${second}\n${first}`;
  assert.equal(parsePublicKeys(file).length, 1);
  assert.throws(() => parsePublicKeys(wrapAt(file, 76)), { name: 'KeyError' });
});

test('keys and certificates in DER, and the bare body of a PEM file', () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const [wanted] = parsePublicKeys(pem);
  const body = pem.replace(/-----[^-]+-----/g, '').trim();
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  for (const content of [spki, publicKey.export({ type: 'pkcs1', format: 'der' }), body])
    assert.equal(parsePublicKeys(content)[0]?.publicKey, wanted?.publicKey);
  for (const content of [
    privateKey.export({ type: 'pkcs8', format: 'der' }),
    privateKey.export({ type: 'pkcs1', format: 'der' }),
    privateKey.export({ type: 'pkcs8', format: 'der', cipher: 'aes-256-cbc', passphrase: 'x' }),
    privateKey
      .export({ type: 'pkcs8', format: 'pem' })
      .toString()
      .replace(/-----[^-]+-----/g, ''),
  ])
    assert.throws(() => parsePublicKeys(content), { code: 'refused', message: /consider it exposed/ });
});

test('a whole file in base64 is the file; key stores and keys of OpenPGP are told by their kind', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const pem = rsa.export({ type: 'pkcs8', format: 'pem' }).toString();
  const spki = createPublicKey(rsa).export({ type: 'spki', format: 'pem' }).toString();
  assert.equal(parsePublicKeys(base64(spki))[0]?.publicKey, parsePublicKeys(spki)[0]?.publicKey);
  for (const original of originals)
    assert.deepEqual(parsePublicKeys(wrapAt(base64(`${original}\n`), 76)), parsePublicKeys(original));
  const bytes = (hex: string) => Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(40, 1)]);
  // JKS, JCEKS, and secret keys of OpenPGP in the old and the new format of packets.
  for (const content of [base64(pem), bytes('feedfeed00000002'), bytes('cececece'), bytes('95039804'), bytes('c55a06')])
    assert.throws(() => parsePublicKeys(content), { code: 'refused', message: /consider it exposed/ });
  for (const content of ['-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQ', bytes('99010d04'), bytes('c6c02d06')])
    assert.throws(() => parsePublicKeys(content), {
      code: 'malformed',
      message: /a key of OpenPGP.*public key of SSH/,
    });
  for (const [kind, reason] of [
    ['CERTIFICATE REQUEST', /request for a certificate/],
    ['NEW CERTIFICATE REQUEST', /request for a certificate/],
    ['PKCS7', /bundle of certificates/],
    ['CMS', /bundle of certificates/],
  ] as const)
    assert.throws(() => parsePublicKeys(`-----BEGIN ${kind}-----\nMIIB\n-----END ${kind}-----`), { message: reason });
});

const { privateKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const { privateKey: ec } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const secret = { cipher: 'aes-256-cbc', passphrase: 'secret' };
const openssh = generatePair('ed25519').private;
const ppk = ['PuTTY-User-Key-File-3: ssh-ed25519', 'Encryption: aes256-cbc', 'Comment: hr', 'Public-Lines: 2'];
const privateKeys: Record<string, string> = {
  OpenSSH: openssh,
  'the body of an OpenSSH key': openssh.split('\n').slice(1, -2).join('\n'),
  'PKCS#1': rsa.export({ type: 'pkcs1', format: 'pem' }).toString(),
  'PKCS#1, encrypted': rsa.export({ type: 'pkcs1', format: 'pem', ...secret }).toString(),
  'SEC 1': ec.export({ type: 'sec1', format: 'pem' }).toString(),
  'PKCS#8': ec.export({ type: 'pkcs8', format: 'pem' }).toString(),
  'PKCS#8, encrypted': rsa.export({ type: 'pkcs8', format: 'pem', ...secret }).toString(),
  'DSA of old': '-----BEGIN DSA PRIVATE KEY-----\nMIIB\n-----END DSA PRIVATE KEY-----',
  'ssh.com':
    '---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: "hr"\nP2/56wAAA=\n---- END SSH2 ENCRYPTED PRIVATE KEY ----',
  PuTTY: `${ppk.join('\n')}\nAAAA\nAAAA\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: 00`,
  'PuTTY, cut at its front': 'Private-Lines: 1\nAAAA\nPrivate-MAC: 00',
  'JSON Web Key': JSON.stringify(ec.export({ format: 'jwk' })),
};

for (const [name, text] of Object.entries(privateKeys))
  test(`a private key is refused, and to be replaced: ${name}`, () => {
    const publicLine = originals[0]!;
    const files: (string | Buffer)[] = [
      text,
      `${publicLine}\n${text}`,
      `Hello,\n\nhere is our key:\n\n${text}\n\nBest regards`,
      quote(text, '> '),
      quotedPrintable(text),
      wrapAt(text, 60),
      Buffer.from(`\uFEFF${text}`, 'utf16le'),
      text.replaceAll('\n', '\r\n'),
    ];
    for (const file of files)
      assert.throws(
        () => parsePublicKeys(file),
        (error: Error & { code?: string }) =>
          error.code === 'refused' && /private key, which must never.*exposed, make a new pair/.test(error.message),
        String(file).slice(0, 200),
      );
    assert.throws(() => parsePublicKeys(`${publicLine}\n${text}`), { message: /^line 2: / });
  });

test("PuTTYgen's files: the public key as it saves it, and the private key", { skip: missingModern('stable') }, (t) => {
  const folder = temporaryFolder(t);
  const [file, publicFile] = [join(folder, 'key.ppk'), join(folder, 'key.pub')];
  writeFileSync(join(folder, 'id'), openssh, { mode: 0o600 });
  execFileSync(puttygen, [join(folder, 'id'), '-O', 'private', '-o', file, '--new-passphrase', '/dev/null']);
  execFileSync(puttygen, [file, '-O', 'public', '-o', publicFile]);
  const [key] = parsePublicKeys(readFileSync(publicFile));
  const [part] = parsePublicKeys(readFileSync(file), { publicPart: true });
  assert.equal(part?.publicKey, key?.publicKey);
  for (const content of [quote(readFileSync(file, 'utf8'), '> '), Buffer.from(readFileSync(file, 'utf8'), 'utf16le')])
    assert.equal(parsePublicKeys(content, { publicPart: true })[0]?.publicKey, key?.publicKey);
  assert.throws(() => parsePublicKeys(readFileSync(file)), { message: /exposed.*--public-part/ });
});

test('RFC 4716 blocks after mail programs', { skip: !hasKeygen }, (t) => {
  const file = join(temporaryFolder(t), 'key.pub');
  for (const original of lines) {
    writeFileSync(file, `${original} hr\n`);
    const block = execFileSync('ssh-keygen', ['-e', '-f', file], { encoding: 'utf8' });
    for (const [name, mangle] of Object.entries(mangles))
      assert.equal(parsePublicKeys(mangle(block))[0]?.publicKey, original.split(' ')[1], name);
  }
});
