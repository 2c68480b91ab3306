/** docs/at-rest.md: a master key that a hardware module protects, with SoftHSM as the module, and its change. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../support/temporary.js';

const module = '/usr/lib/softhsm/libsofthsm2.so';
const programs = ['softhsm2-util', 'pkcs11-tool', 'openssl', 'age-keygen'];
const missing = programs.filter((name) => spawnSync(name, ['--help']).error !== undefined);
const skip =
  (missing.length > 0 || !existsSync(module)) &&
  `${missing.join(', ') || module} is NOT INSTALLED: apt-get install softhsm2 opensc age`;

/** The commands of the section, as the reader types them. */
function readCommands(): string {
  const [, section = ''] = readFileSync('docs/at-rest.md', 'utf8').split(
    '### A master key that a hardware module protects\n',
  );
  const [commands = ''] = /(?:^ {4}.*\n)+/m.exec(section) ?? [];
  assert.ok(commands.includes('softhsm2-util'), 'docs/at-rest.md has the commands');
  return commands;
}

test('the commands of docs/at-rest.md protect a master key, which opens what was sealed; it can be changed', {
  skip,
}, (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'tokens'));
  writeFileSync(join(folder, 'softhsm2.conf'), `directories.tokendir = ${join(folder, 'tokens')}\n`);
  const env = { ...process.env, SOFTHSM2_CONF: join(folder, 'softhsm2.conf') };
  const shell = (script: string) =>
    execFileSync('sh', ['-euc', script], { cwd: folder, env, encoding: 'utf8', stdio: 'pipe' });
  shell(readCommands());
  writeFileSync(join(folder, 'pin'), '1234\n', { mode: 0o600 });
  const key = readFileSync(join(folder, 'master.key'), 'utf8');
  shell('rm master.key');

  const unwrap = resolve('examples/pkcs11/unwrap-master-key.sh');
  const source = `exec:${unwrap} ${module} dropslot ${join(folder, 'master.wrapped')} ${join(folder, 'pin')}`;
  const dropslot = (words: string[], data = 'data') =>
    spawnSync(process.execPath, ['dist/app/main.js', '--data', join(folder, data), ...words], {
      env: { ...env, DROPSLOT_MASTER_KEY: source },
      encoding: 'utf8',
    });
  const ok = (...words: string[]): string => {
    const { status, stdout, stderr } = dropslot(words);
    assert.equal(status, 0, stdout + stderr);
    return stdout;
  };
  ok('orgs', 'add', 'acme', '--owner', 'jane@acme.test');
  assert.ok(!existsSync(join(folder, 'data/keys/master.key')), 'the key is in no file');
  const identity = ok('identity', 'export', 'acme');
  assert.match(identity, /AGE-SECRET-KEY-1/);

  writeFileSync(join(folder, 'pin'), '9999\n');
  const refused = dropslot(['identity', 'export', 'acme']);
  assert.equal(refused.status, 1);
  assert.match(
    refused.stderr,
    /the program of the master key, .*unwrap-master-key\.sh, failed \(exit code 1\): run it by hand/,
  );
  writeFileSync(join(folder, 'pin'), '1234\n');

  const wrap = (file: string) =>
    `grep -h AGE-SECRET-KEY- ${file} | openssl pkeyutl -encrypt -pubin -inkey master.der -keyform DER -pkeyopt rsa_padding_mode:oaep -out master.wrapped`;
  writeFileSync(join(folder, 'old.key'), key);
  shell(`age-keygen -o new.key 2>/dev/null; ${wrap('new.key old.key')}`);
  ok('identity', 'rotate-master');
  shell(wrap('new.key'));
  assert.equal(ok('identity', 'export', 'acme'), identity);
  shell(wrap('old.key'));
  assert.notEqual(dropslot(['identity', 'export', 'acme']).status, 0, 'the old key opens nothing any more');
});
