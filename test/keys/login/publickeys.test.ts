/** Public key files as customers send them, and the ones that are refused. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
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
  'a PEM public key': ['-----BEGIN PUBLIC KEY-----\nMIIB', /line 1: this is a PEM file; convert it/],
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

const hasSshKeygen = spawnSync('ssh-keygen', ['-?']).error === undefined;

test('ssh-keygen prints the same fingerprints, and its RFC 4716 files are read', { skip: !hasSshKeygen }, (t) => {
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
