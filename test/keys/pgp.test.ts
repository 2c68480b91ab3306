/** The real gpg and sq encrypt for keys of Dropslot and open what it encrypts, and the other way round. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { PgpKeyRow } from '../../db/control/pgpkeys.js';
import { RefusalError } from '../../importer/codes.js';
import { unwrap } from '../../importer/read/unwrap.js';
import { encryptTo } from '../../keys/pgp/encrypt.js';
import { generatePgpKey, type PgpKeyFacts, readPgpKey } from '../../keys/pgp/pgpkey.js';
import { temporaryFolder } from '../support/temporary.js';

const has = (program: string) => spawnSync(program, ['--version']).status === 0;
const limits = { maxUnpackedBytes: 1024 ** 3, maxUnpackRatio: 1000 };
const csv = `User Email,User Name\n${Array.from({ length: 3000 }, (_, n) => `u${n}@acme.test,${n * 7919}\n`).join('')}`;

function rowOf(key: PgpKeyFacts & { privateKey: string | null }, kind: 'own' | 'customer'): PgpKeyRow {
  const { fingerprint, keyIds, algorithm, userId, publicKey, createdAt, privateKey } = key;
  const facts = { fingerprint, keyIds, algorithm, userId, publicKey, createdAt, sealedPrivateKey: privateKey };
  return { ...facts, id: 1, org: 'acme', kind, sealedTo: '', expiresAt: null, revokedAt: null };
}

async function read(bytes: Buffer, own: PgpKeyRow[], customers: PgpKeyRow[]): Promise<string> {
  const openPrivate = async (key: PgpKeyRow) => key.sealedPrivateKey!;
  const options = customers.length === 0 ? {} : { requireSignature: customers.map(({ fingerprint }) => fingerprint) };
  const context = { options, readKeys: async () => ({ own, customers, openPrivate }), now: Date.now };
  const open = async function* () {
    yield bytes;
  };
  const pieces: Buffer[] = [];
  try {
    const source = { name: 'a.pgp', bytes: bytes.length, sha256: '', open };
    for await (const piece of unwrap(source, limits, context).open()) pieces.push(piece);
  } catch (error) {
    if (error instanceof RefusalError) return error.refusal.code;
    throw error;
  }
  return Buffer.concat(pieces).toString();
}

async function encrypt(publicKey: string, text: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const sink = await encryptTo(publicKey, {
    write: async (bytes) => {
      pieces.push(bytes);
    },
  });
  for (let at = 0; at < text.length; at += 1000) await sink.write(Buffer.from(text.slice(at, at + 1000)));
  await sink.end();
  return Buffer.concat(pieces);
}

const makeKey = (type: 'rsa3072' | 'rsa4096' | 'curve25519' | 'nistp256') =>
  generatePgpKey(type, { name: 'Dropslot acme', email: 'acme@dropslot.invalid' }, Date.now() - 60_000, 86_400);

test('gpg', { skip: !has('gpg') && 'gpg is not installed' }, async (t) => {
  const home = join(temporaryFolder(t), 'gnupg');
  mkdirSync(home, { mode: 0o700 });
  t.after(() => spawnSync('gpgconf', ['--homedir', home, '--kill', 'all']));
  const gpg = (args: string[], input: string | Buffer = '') => {
    const all = ['--homedir', home, '--batch', '--yes', '--trust-model', 'always', '--pinentry-mode', 'loopback', '-q'];
    const ran = spawnSync('gpg', [...all, '--passphrase', '', ...args], { input, maxBuffer: 1024 ** 3 });
    assert.equal(ran.status, 0, String(ran.stderr));
    return ran.stdout;
  };
  const keys = { rsa: await makeKey('rsa3072'), nist: await makeKey('nistp256'), curve: await makeKey('curve25519') };
  const own = Object.values(keys).map((key) => rowOf(key, 'own'));
  for (const { publicKey } of own) gpg(['--import'], publicKey);
  gpg(['--quick-gen-key', 'Payroll <payroll@acme.test>', 'future-default', 'default', 'never']);
  const payroll = await readPgpKey(gpg(['--export', 'payroll@acme.test']), Date.now(), null);
  const [rsa, nist, curve] = own.map(({ fingerprint }) => fingerprint) as [string, string, string];
  const customers = [rowOf(payroll, 'customer')];
  const signed = ['--sign', '-u', 'payroll@acme.test'];
  const forms: [string[], PgpKeyRow[], string][] = [
    [['-e', '-r', rsa, '--compress-algo', 'bzip2'], [], csv],
    [['-e', '-r', rsa, '--cipher-algo', '3DES'], [], csv],
    [['-e', '-r', rsa, '--cipher-algo', 'CAST5', '--compress-algo', 'zlib'], [], csv],
    [['-e', '-r', nist, '--armor', ...signed], customers, csv],
    [['-e', '-r', curve, ...signed], customers, csv],
    [['-e', '-R', curve, '--compress-algo', 'none'], [], csv],
    [['-e', '-r', 'payroll@acme.test', '-r', curve, '--rfc4880'], [], csv],
    [['--sign', '-u', 'payroll@acme.test'], customers, csv],
    [['-e', '-r', rsa], customers, 'must_sign'],
    [['-e', '-r', rsa, '--rfc2440'], [], 'pgp_unprotected'],
    [['-e', '-r', 'payroll@acme.test'], [], 'pgp_other_key'],
    [['--symmetric', '--passphrase', 'x'], [], 'pgp_password'],
  ];
  for (const [args, signers, expected] of forms)
    assert.ok((await read(gpg(args, csv), own, signers)) === expected, args.join(' '));
  assert.equal(gpg(['--decrypt'], await encrypt(payroll.publicKey, csv)).toString(), csv);
  gpg(['--quick-gen-key', '--passphrase', 'x', 'Old <old@acme.test>', 'rsa2048', 'sign', 'never']);
  assert.ok(!(await readPgpKey(gpg(['--export', 'old@acme.test']), Date.now(), null)).canEncrypt);
});

test('sq', { skip: !has('sq') && 'sq is not installed' }, async (t) => {
  const folder = temporaryFolder(t);
  const sq = (args: string[], input: string | Buffer = '') => {
    const ran = spawnSync('sq', args, { input, maxBuffer: 1024 ** 3 });
    assert.equal(ran.status, 0, String(ran.stderr));
    return ran.stdout;
  };
  const path = (name: string) => join(folder, name);
  sq(['key', 'generate', '--userid', '<hr@acme.test>', '--cipher-suite', 'cv25519', '--export', path('key')]);
  const hr = await readPgpKey(sq(['key', 'extract-cert', path('key')]), Date.now(), null);
  const made = await makeKey('nistp256');
  writeFileSync(path('own'), made.publicKey);
  for (const [more, signers] of [
    [[], []],
    [['--binary', '--compression', 'zip'], []],
    [['--signer-key', path('key')], [rowOf(hr, 'customer')]],
  ] as [string[], PgpKeyRow[]][])
    assert.ok(
      (await read(sq(['encrypt', '--recipient-cert', path('own'), ...more], csv), [rowOf(made, 'own')], signers)) ===
        csv,
      more.join(' '),
    );
  assert.equal(sq(['decrypt', '--recipient-key', path('key')], await encrypt(hr.publicKey, csv)).toString(), csv);
});
