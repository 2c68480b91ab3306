/**
 * `npm run package`: two runs give the same bytes; the bundle installs without a network; the Debian package is installed, upgraded,
 * removed and purged in a Debian system of its own (as root, with debootstrap).
 */
import assert from 'node:assert/strict';
import { execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import SftpClient from 'ssh2-sftp-client';
import { newKeyPair } from './support/keys.js';
import { until } from './support/session.js';
import { openScope, temporaryFolder } from './support/temporary.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const patienceMs = 120_000;
const scope = openScope();
/** Where the packages are; DROPSLOT_TEST_RELEASE names some that were built before. */
let release = '';

function build(): string {
  const out = join(temporaryFolder(scope), 'release');
  execFileSync(process.execPath, ['scripts/package.mjs', '--out', out], { stdio: 'pipe' });
  return out;
}

before(() => {
  release = process.env.DROPSLOT_TEST_RELEASE ?? build();
});
after(() => scope.close());

const nameOf = (pattern: RegExp) => join(release, readdirSync(release).find((name) => pattern.test(name))!);

test('two runs give the same bytes, and the checksums are right', () => {
  const other = build();
  assert.equal(readFileSync(join(other, 'SHA256SUMS'), 'utf8'), readFileSync(join(release, 'SHA256SUMS'), 'utf8'));
  const { status } = spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: release });
  assert.equal(status, 0);
  assert.equal(readFileSync(join(release, 'SHA256SUMS'), 'utf8').trim().split('\n').length, 4);
});

test('the bundle installs without a network, runs, and refuses a changed file', () => {
  const folder = temporaryFolder(scope);
  execFileSync('tar', ['-xzf', nameOf(/^dropslot-.*-linux-.*\.tar\.gz$/), '-C', folder, '--strip-components=1']);
  const install = () =>
    spawnSync('sh', ['install.sh', '--prefix', join(folder, 'opt'), '--link', join(folder, 'bin')], {
      cwd: folder,
      encoding: 'utf8',
    });
  assert.deepEqual([install().status, install().status], [0, 0], 'also over an installed one');
  const dropslot = (...words: string[]) =>
    execFileSync(join(folder, 'bin', 'dropslot'), ['--data', join(folder, 'data'), ...words], {
      env: { PATH: '/nowhere' },
      encoding: 'utf8',
    });
  assert.match(dropslot('--version'), new RegExp(`^dropslot ${version.replaceAll('.', '\\.')} \\(build `));
  assert.match(dropslot('orgs', 'add', 'acme', '--owner', 'jane@acme.test'), /^Added acme/);
  appendFileSync(join(folder, 'program/dist/app/main.js'), '\n// changed');
  const refused = install();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /a file differs from SHA256SUMS; nothing was installed/);
});

const lacking =
  process.getuid?.() !== 0
    ? 'needs root'
    : spawnSync('debootstrap', ['--version']).error !== undefined &&
      'debootstrap is NOT INSTALLED: apt-get install debootstrap';

/** A minimal Debian; DROPSLOT_TEST_DEBIAN names one that exists, of which a copy is used. */
function makeDebian(): { root: string; run(...words: string[]): SpawnSyncReturns<string> } | null {
  const root = join(temporaryFolder(scope), 'debian');
  const given = process.env.DROPSLOT_TEST_DEBIAN;
  if (given !== undefined) execFileSync('cp', ['-a', given, root]);
  else if (spawnSync('debootstrap', ['--variant=minbase', 'bookworm', root]).status !== 0) return null;
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'dumb', LC_ALL: 'C' };
  return { root, run: (...words) => spawnSync('chroot', [root, ...words], { env, encoding: 'utf8' }) };
}

test('the Debian package: install, serve, upgrade, remove, purge', { skip: lacking }, async (t) => {
  const debian = makeDebian();
  if (debian === null) return t.skip('debootstrap could not make a Debian: no mirror can be reached');
  const { root, run } = debian;
  const ok = (...words: string[]): string => {
    const { status, stdout, stderr } = run(...words);
    assert.equal(status, 0, `${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const modeOf = (path: string) => (statSync(join(root, path)).mode & 0o777).toString(8);
  cpSync(nameOf(/\.deb$/), join(root, 'tmp/first.deb'));
  ok('dpkg', '-i', '/tmp/first.deb');
  assert.deepEqual([modeOf('etc/dropslot/dropslot.json'), modeOf('var/lib/dropslot')], ['640', '700']);
  assert.match(ok('dropslot', '--version'), /^dropslot \d/);
  assert.match(ok('dropslot', 'orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'), /^Added acme/);
  const key = newKeyPair();
  writeFileSync(join(root, 'tmp/acme.pub'), `${key.public.algorithm} ${key.public.publicKey}\n`);
  ok('dropslot', 'keys', 'add', 'acme', '/tmp/acme.pub');
  const owners = ok('find', '/var/lib/dropslot', '!', '-user', 'dropslot');
  assert.equal(owners, '', 'root leaves no file of its own');
  const stranger = run('setpriv', '--reuid=nobody', '--clear-groups', 'dropslot', 'status');
  assert.equal(stranger.status, 4);
  assert.match(stranger.stderr, /only root and the user dropslot may use .*: run it with sudo/);
  for (const file of ['usr/share/man/man1/dropslot-orgs.1.gz', 'usr/share/bash-completion/completions/dropslot'])
    assert.ok(existsSync(join(root, file)), file);

  const serve = async (): Promise<void> => {
    const env = { PATH: '/usr/bin:/bin:/usr/sbin', DROPSLOT_PORT: '0', DROPSLOT_HOST: '127.0.0.1' };
    const server = spawn('chroot', ['--userspec=dropslot:dropslot', root, 'dropslot', 'serve'], { env });
    const gone = once(server, 'exit');
    t.after(() => server.kill('SIGKILL'));
    let log = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    await until(() => /"message":"listening"/.test(log), 'the server to listen', patienceMs);
    const port = Number(/"port":(\d+)/.exec(log)![1]);
    const client = new SftpClient();
    await client.connect({ host: '127.0.0.1', port, username: 'acme', privateKey: key.private });
    await client.put(Buffer.from('User Email\nann@acme.test\n'), '/users.csv');
    await client.end();
    server.kill('SIGTERM');
    assert.deepEqual(await gone, [0, null], log);
  };
  await serve();
  assert.match(ok('dropslot', 'queue', 'acme'), /\/users\.csv/);

  // An upgrade keeps settings that were changed, and the data.
  writeFileSync(join(root, 'etc/dropslot/dropslot.json'), '{ "data": "/var/lib/dropslot", "contact": "help desk" }\n');
  const next = join(temporaryFolder(scope), 'next');
  execFileSync('dpkg-deb', ['-R', nameOf(/\.deb$/), next]);
  const control = join(next, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, 'Version: 99.0.0'));
  execFileSync('dpkg-deb', ['-Znone', '--root-owner-group', '-b', next, join(root, 'tmp/next.deb')], { stdio: 'pipe' });
  ok('dpkg', '-i', '--force-confold', '/tmp/next.deb');
  assert.match(ok('dpkg', '-s', 'dropslot'), /^Version: 99\.0\.0$/m);
  assert.match(ok('dropslot', 'config', 'show'), /help desk/);
  await serve();
  assert.match(ok('dropslot', 'queue', 'acme'), /\/users\.csv/);

  ok('dpkg', '-r', 'dropslot');
  assert.ok(!existsSync(join(root, 'usr/bin/dropslot')));
  for (const path of ['etc/dropslot/dropslot.json', 'var/lib/dropslot/control.db'])
    assert.ok(existsSync(join(root, path)));
  const purged = run('dpkg', '-P', 'dropslot');
  assert.equal(purged.status, 0, purged.stderr);
  assert.match(purged.stderr, /kept \/var\/lib\/dropslot.*\nTo erase it for good: /);
  for (const path of ['etc/dropslot', 'var/log/dropslot', 'usr/lib/dropslot', 'etc/logrotate.d/dropslot'])
    assert.ok(!existsSync(join(root, path)), path);
  assert.ok(existsSync(join(root, 'var/lib/dropslot/keys/master.key')), 'the only master key is kept');

  // Without data, a purge leaves nothing.
  ok('rm', '-rf', '/var/lib/dropslot');
  ok('dpkg', '-i', '/tmp/first.deb');
  ok('dpkg', '-P', 'dropslot');
  assert.ok(!existsSync(join(root, 'var/lib/dropslot')));
  assert.equal(run('getent', 'passwd', 'dropslot').status, 2, 'the user is gone');
});
