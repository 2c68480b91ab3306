/** Public key files as customers send them, and the ones that are refused. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ssh2 from 'ssh2';
import { generatePair } from '../../../keys/host/pair.js';
import { parsePublicKeys } from '../../../keys/login/publickeys.js';
import { temporaryFolder } from '../../support/temporary.js';

const pair = generatePair('ed25519');
const ed25519 = { private: pair.private, public: `${pair.public.trim()} hr@acme` };
const ecdsa = ssh2.utils.generateKeyPairSync('ecdsa', { bits: 521 });
const rsa = ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 });
const [type = '', base64 = ''] = ed25519.public.split(' ');

function pemOf(type: string, options: object = {}): string {
  const { publicKey } = (generateKeyPairSync as (type: string, options: object) => { publicKey: KeyObject })(
    type,
    options,
  );
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

test('PEM: PKCS#1 and SubjectPublicKeyInfo, with CRLF and several in a file', { skip: !hasKeygen() }, (t) => {
  const folder = temporaryFolder(t);
  const kinds: [string[], string[]][] = [
    [
      ['-t', 'rsa', '-b', '2048'],
      ['PEM', 'PKCS8'],
    ],
    [['-t', 'ecdsa', '-b', '256'], ['PKCS8']],
    [['-t', 'ecdsa', '-b', '384'], ['PKCS8']],
    [['-t', 'ecdsa', '-b', '521'], ['PKCS8']],
  ];
  for (const [options, formats] of kinds) {
    const file = join(folder, options.join(''));
    execFileSync('ssh-keygen', ['-q', '-N', '', '-f', file, ...options]);
    const [wanted] = parsePublicKeys(readFileSync(`${file}.pub`, 'utf8'));
    for (const format of formats) {
      const pem = execFileSync('ssh-keygen', ['-e', '-m', format, '-f', `${file}.pub`], { encoding: 'utf8' });
      for (const text of [pem, pem.replaceAll('\n', '\r\n'), `\uFEFF\n${pem}`])
        assert.deepEqual(
          parsePublicKeys(text).map((key) => [key.publicKey, key.bits]),
          [[wanted?.publicKey, wanted?.bits]],
        );
      assert.equal(parsePublicKeys(`${pem}\n${ed25519.public}\n`).length, 2);
    }
  }
  const [edKey] = parsePublicKeys(pemOf('ed25519'));
  assert.deepEqual([edKey?.algorithm, edKey?.bits], ['ssh-ed25519', 256]);
});

const hasOpenssl = spawnSync('openssl', ['version']).error === undefined;

test('an X.509 certificate gives the key in it', { skip: !hasOpenssl || !hasKeygen() }, (t) => {
  const folder = temporaryFolder(t);
  const [keyFile, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=hr.acme.test', '-days', '1', '-nodes', '-keyout', keyFile, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', ...subject], { stdio: 'ignore' });
  const wanted = execFileSync('ssh-keygen', ['-y', '-f', keyFile], { encoding: 'utf8' }).split(' ')[1]!.trim();
  assert.equal(parsePublicKeys(readFileSync(certificate, 'utf8'))[0]?.publicKey, wanted);
  assert.throws(() => parsePublicKeys(readFileSync(keyFile, 'utf8')), { message: /this is a private key/ });
  assert.throws(() => parsePublicKeys(readFileSync(certificate, 'utf8') + readFileSync(keyFile, 'utf8')), {
    message: /this is a private key/,
  });
});

function hasKeygen(): boolean {
  return spawnSync('ssh-keygen', ['-?']).error === undefined;
}

test('one line, several lines, comments, blank lines, CRLF and a byte order mark', () => {
  const text = `\uFEFF# of the HR system\r\n\r\n${ed25519.public}\r\n  ${ecdsa.public} \n${rsa.public}`;
  assert.deepEqual(
    parsePublicKeys(text).map((key) => [key.algorithm, key.bits, key.comment, key.publicKey === key.publicKey.trim()]),
    [
      ['ssh-ed25519', 256, 'hr@acme', true],
      ['ecdsa-sha2-nistp521', 521, '', true],
      ['ssh-rsa', 2048, '', true],
    ],
  );
});

test('a comment may have spaces', () => {
  assert.equal(parsePublicKeys(`${type} ${base64} HR system of Acme`)[0]?.comment, 'HR system of Acme');
});

const refused: Record<string, [text: string, reason: RegExp]> = {
  nothing: ['\n# only a comment\n', /there is no public key/],
  'a private key': [ed25519.private, /line 1: this is a private key.*consider it exposed/],
  "PuTTY's private key": ['PuTTY-User-Key-File-3: ssh-ed25519', /line 1: this is a private key.*--public-part/],
  'a PEM public key without its end': [
    '-----BEGIN PUBLIC KEY-----\nMIIB',
    /line 1: the key begins here and never ends/,
  ],
  'a cut PEM public key': [
    '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----',
    /line 1: the key is cut short/,
  ],
  'a request for a certificate': [
    '-----BEGIN CERTIFICATE REQUEST-----\nMIIB',
    /line 1: this is the request for a certificate; ask for the certificate or the public key/,
  ],
  'a key of another kind in PEM': [pemOf('x25519'), /line 1: this kind of key is not supported/],
  'a short RSA key in PEM': [pemOf('rsa', { modulusLength: 1024 }), /line 1: RSA keys need 2048 bits/],
  'a DSA key': ['ssh-dss AAAAB3NzaC1kc3MAAACBAP', /line 1: DSA keys are outdated/],
  'a short RSA key': [
    `# old\n${ssh2.utils.generateKeyPairSync('rsa', { bits: 1024 }).public}`,
    /line 2: RSA keys need 2048 bits or more, this one has 1024/,
  ],
  'a certificate': [`ssh-ed25519-cert-v01@openssh.com ${base64}`, /line 1: this is a certificate; add the authority/],
  'a token that is none': [`sk-ssh-ed25519@openssh.com ${base64}`, /line 1: the key is cut short or altered/],
  'a forced command': [`command="internal-sftp -R" ${ed25519.public}`, /line 1: the option command can't be honoured/],
  'an unknown option': [`x-unknown,pty ${ed25519.public}`, /line 1: the option x-unknown can't be honoured/],
  'a pattern of names': [`from="*.acme.test" ${ed25519.public}`, /line 1: from= with \* \? or !/],
  'a name for an address': [`from="hr.acme.test" ${ed25519.public}`, /line 1: hr.acme.test is no address range/],
  'no address at all': [`from="" ${ed25519.public}`, /line 1: from= without an address/],
  'a restriction twice': [
    `from="192.0.2.0/24",from="198.51.100.0/24" ${ed25519.public}`,
    /line 1: the option from occurs twice/,
  ],
  'a time that is none': [`expiry-time="20261301" ${ed25519.public}`, /line 1: expiry-time="20261301" is no date/],
  'a DSA key in a block': [
    `---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1kc3MAAACBAP\n---- END SSH2 PUBLIC KEY ----`,
    /line 1: DSA keys are outdated/,
  ],
  'the same key twice': [`${ed25519.public}\n${ed25519.public}`, /occurs twice/],
  'a cut key': [`${type} ${base64.slice(0, -9)}`, /line 1: the key is cut short or altered/],
  'a key with a tail': [
    `${type} ${Buffer.concat([Buffer.from(base64, 'base64'), Buffer.from('x')]).toString('base64')}`,
    /line 1: the key is cut short or altered/,
  ],
  'a key of another type than it says': [`ecdsa-sha2-nistp256 ${base64}`, /line 1: the key is cut short or altered/],
  garbage: ['User Email,User Name', /line 1: this is no public key in OpenSSH format/],
};

for (const [what, [text, reason]] of Object.entries(refused)) {
  test(`refused: ${what}`, () => {
    assert.throws(() => parsePublicKeys(text), { name: 'KeyError', message: reason });
  });
}

test('options that can be honoured are, and those that mean nothing here are named', () => {
  const text = [
    `from="192.0.2.0/24,2001:db8::1",expiry-time="20271231",no-pty,command="internal-sftp" ${ed25519.public}`,
    `restrict,permission="upload-only",environment="A=b, \\"c\\"",expiry-time="202712311830Z" ${ecdsa.public}`,
    `cert-authority,principals="hr,acme" ${rsa.public}`,
  ].join('\n');
  const [first, second, third] = parsePublicKeys(text, { timeZone: 'Europe/Berlin' }).map((key) => key.terms);
  assert.deepEqual(first?.sources, ['192.0.2.0/24', '2001:db8::1/128']);
  assert.equal(first?.expiresAt, Date.UTC(2027, 11, 30, 23));
  assert.deepEqual([second?.permission, second?.ignored], ['upload', ['environment']]);
  assert.equal(second?.expiresAt, Date.UTC(2027, 11, 31, 18, 30));
  assert.deepEqual([third?.isAuthority, third?.principals], [true, ['hr', 'acme']]);
});

test("PuTTY's private key gives its public part when it is asked for", () => {
  const wrapped = base64.match(/.{1,64}/g)!;
  const lines = ['PuTTY-User-Key-File-3: ssh-ed25519', 'Encryption: none', 'Comment: hr system'];
  const file = [...lines, `Public-Lines: ${wrapped.length}`, ...wrapped, 'Private-Lines: 1', 'AAAA'].join('\r\n');
  const [key] = parsePublicKeys(file, { publicPart: true });
  assert.deepEqual([key?.comment, key?.publicKey], ['hr system', base64]);
  assert.throws(() => parsePublicKeys(lines.join('\n'), { publicPart: true }), { message: /has no public part/ });
});

test('ssh-keygen prints the same fingerprints, and its RFC 4716 files are read', { skip: !hasKeygen() }, (t) => {
  const folder = temporaryFolder(t);
  for (const options of [
    ['-t', 'ed25519'],
    ['-t', 'ecdsa', '-b', '384'],
    ['-t', 'rsa', '-b', '3072'],
  ]) {
    const file = join(folder, options.join(''));
    execFileSync('ssh-keygen', ['-q', '-N', '', '-C', 'a comment', '-f', file, ...options]);
    const [key] = parsePublicKeys(readFileSync(`${file}.pub`, 'utf8'));
    const printed = execFileSync('ssh-keygen', ['-l', '-f', `${file}.pub`], { encoding: 'utf8' });
    assert.equal(printed.split(' ')[1], key?.fingerprint);
    assert.equal(printed.split(' ')[0], String(key?.bits));
    const rfc4716 = execFileSync('ssh-keygen', ['-e', '-f', `${file}.pub`], { encoding: 'utf8' });
    const [again] = parsePublicKeys(rfc4716);
    assert.equal(again?.fingerprint, key?.fingerprint);
    assert.match(again?.comment ?? '', /converted by/);
  }
});
