/**
 * `npm run package`: two runs give the same bytes; the bundle installs without a network, and that for arm64 serves and imports under
 * an emulator (with a compiler for arm64 and qemu-user-static); the Debian package is installed, upgraded,
 * removed, installed again and purged in a Debian system of its own (as root, with debootstrap). The container image is built, and run
 * with a read-only root (with buildah).
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync, type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import SftpClient from 'ssh2-sftp-client';
import { newKeyPair } from './support/keys.js';
import { until } from './support/session.js';
import { openScope, temporaryFolder } from './support/temporary.js';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const patienceMs = 120_000;
/** An emulated program takes ten times as long. */
const emulatedMs = 600_000;
const execute = promisify(execFile);
const scope = openScope();
/** Where the packages are; DROPSLOT_TEST_RELEASE names some that were built before. */
let release = '';
/** Where they were built once more, in other circumstances, and signed. */
let other = '';

async function build(env: Record<string, string> = {}, umask = '022'): Promise<string> {
  const out = join(temporaryFolder(scope), 'release');
  const script = `umask ${umask}; exec "$0" scripts/package.mjs --out "$1"`;
  await execute('sh', ['-c', script, process.execPath, out], { env: { ...process.env, ...env } });
  return out;
}

before(async () => {
  const key = join(temporaryFolder(scope), 'release_key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key]);
  const circumstances = { TZ: 'Pacific/Auckland', LC_ALL: 'C', DROPSLOT_SIGN_KEY: key };
  [release, other] = await Promise.all([process.env.DROPSLOT_TEST_RELEASE ?? build(), build(circumstances, '077')]);
  writeFileSync(join(other, 'release_key.pub'), readFileSync(`${key}.pub`));
});
after(() => scope.close());

const debian64 = process.arch === 'arm64' ? /_arm64\.deb$/ : /_amd64\.deb$/;
const nameOf = (pattern: RegExp) => join(release, readdirSync(release).find((name) => pattern.test(name))!);

test('two runs give the same bytes, whatever the machine is set to; the checksums are right, and signed', () => {
  assert.equal(readFileSync(join(other, 'SHA256SUMS'), 'utf8'), readFileSync(join(release, 'SHA256SUMS'), 'utf8'));
  const arm64 = readdirSync(release).find((name) => /-arm64\.tar\.gz$/.test(name));
  const { status } = spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: release });
  assert.equal(status, 0);
  assert.equal(
    readFileSync(join(release, 'SHA256SUMS'), 'utf8').trim().split('\n').length,
    arm64 === undefined ? 4 : 6,
  );

  // As docs/packages.md says.
  const signers = join(temporaryFolder(scope), 'allowed_signers');
  writeFileSync(signers, `release ${readFileSync(join(other, 'release_key.pub'), 'utf8')}`);
  const verify = (sums: Buffer) =>
    spawnSync(
      'ssh-keygen',
      ['-Y', 'verify', '-f', signers, '-I', 'release', '-n', 'dropslot', '-s', 'SHA256SUMS.sig'],
      {
        cwd: other,
        input: sums,
        encoding: 'utf8',
      },
    );
  const sums = readFileSync(join(other, 'SHA256SUMS'));
  assert.match(verify(sums).stdout, /^Good "dropslot" signature for release/);
  assert.notEqual(verify(Buffer.concat([sums, Buffer.from('x')])).status, 0);
});

/** The program and its words, in a namespace without any network; as they are where this user may not make one. */
function offline(...words: string[]): [string, string[]] {
  const hasNone = spawnSync('unshare', ['--map-root-user', '--net', 'true']).status === 0;
  return hasNone ? ['unshare', ['--map-root-user', '--net', ...words]] : [words[0]!, words.slice(1)];
}

test('the bundle installs without a network, runs, and refuses a changed file', () => {
  const folder = temporaryFolder(scope);
  execFileSync('tar', [
    '-xzf',
    nameOf(new RegExp(`^dropslot-.*-linux-${process.arch}\\.tar\\.gz$`)),
    '-C',
    folder,
    '--strip-components=1',
  ]);
  const install = () => {
    const words = ['sh', 'install.sh', '--prefix', join(folder, 'opt'), '--link', join(folder, 'bin')];
    return spawnSync(...offline(...words), { cwd: folder, encoding: 'utf8' });
  };
  assert.deepEqual([install().status, install().status], [0, 0], 'also over an installed one');
  const dropslot = (...words: string[]) =>
    execFileSync(...offline(join(folder, 'bin', 'dropslot'), '--data', join(folder, 'data'), ...words), {
      env: { PATH: '/usr/bin:/bin' },
      encoding: 'utf8',
    });
  assert.match(dropslot('--version'), new RegExp(`^dropslot ${version.replaceAll('.', '\\.')} \\(build `));
  assert.match(dropslot('orgs', 'add', 'acme', '--owner', 'jane@acme.test'), /^Added acme/);
  appendFileSync(join(folder, 'program/dist/app/main.js'), '\n// changed');
  const refused = install();
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /a file differs from SHA256SUMS; nothing was installed/);
});

/** The C and C++ libraries for arm64 come with the compiler. */
const arm64Libraries = '/usr/aarch64-linux-gnu';
const emulator = 'qemu-aarch64-static';
const lackingForArm64 =
  process.arch !== 'arm64' &&
  ((spawnSync('aarch64-linux-gnu-g++', ['--version']).error !== undefined &&
    'a compiler for arm64 is NOT INSTALLED: apt-get install g++-aarch64-linux-gnu') ||
    (spawnSync(emulator, ['--version']).error !== undefined &&
      'an emulator of arm64 is NOT INSTALLED: apt-get install qemu-user-static'));

test('the bundle for arm64 serves and imports under an emulator', { skip: lackingForArm64 }, async (t) => {
  const folder = temporaryFolder(t);
  execFileSync('tar', ['-xzf', nameOf(/-linux-arm64\.tar\.gz$/), '-C', folder, '--strip-components=1']);
  const binary = join(folder, 'program/bin/node');
  const native = spawnSync(binary, ['-e', '0']).status === 0;
  if (!native) {
    const prefix = join(folder, 'opt');
    const words = ['install.sh', '--prefix', prefix, '--link', join(folder, 'bin')];
    const { status, stderr } = spawnSync('sh', words, { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /this bundle is for linux-arm64 with glibc 2\.\d+ and .* GCC \d+, or later; this machine is Linux on /,
    );
    assert.ok(!existsSync(prefix));
  }
  // The kernel here can't start programs for arm64: the emulator does, also those that the program starts.
  const node = native ? binary : join(folder, 'node');
  const preload = join(folder, 'emulated.cjs');
  writeFileSync(join(folder, 'node'), `#!/bin/sh\nexec ${emulator} -L ${arm64Libraries} '${binary}' "$@"\n`, {
    mode: 0o755,
  });
  writeFileSync(preload, `process.execPath = ${JSON.stringify(node)};\n`);
  const env = { PATH: process.env.PATH, NODE_OPTIONS: `--require=${preload}`, DROPSLOT_DATA: join(folder, 'data') };
  const main = join(folder, 'program/dist/app/main.js');
  const dropslot = async (...words: string[]): Promise<string> =>
    (await execute(node, [main, ...words], { env })).stdout;

  assert.match(await dropslot('--version'), /, linux arm64\)$/m);
  const key = newKeyPair();
  const keys = [{ key: `${key.public.algorithm} ${key.public.publicKey}` }];
  const acme = { enabled: true, settings: { owner: 'jane@acme.test' }, keys };
  writeFileSync(join(folder, 'setup.json'), JSON.stringify({ version: 1, organizations: { acme } }));
  await dropslot('apply', join(folder, 'setup.json'));
  const server = spawn(node, [main, 'serve', '--host', '127.0.0.1', '--port', '0'], {
    env: { ...env, DROPSLOT_LOG_FORMAT: 'json', DROPSLOT_LOGIN_SECONDS: '300', DROPSLOT_KEEPALIVE_SECONDS: '300' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = once(server, 'exit');
  t.after(() => server.kill('SIGKILL'));
  let log = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  await until(() => /"message":"listening"/.test(log), 'the server to listen', emulatedMs);
  const port = /"port":(\d+)/.exec(log)![1]!;
  writeFileSync(join(folder, 'key'), key.private, { mode: 0o600 });
  writeFileSync(join(folder, 'users.csv'), 'User Email,User Name\nann@acme.test,Ann\n');
  writeFileSync(join(folder, 'batch'), 'put users.csv\n');
  const trust = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
  const words = ['-q', '-b', 'batch', '-i', 'key', '-P', port, ...trust, 'acme@127.0.0.1'];
  const sent = await execute('sftp', words, { cwd: folder }).catch((error: Error) => error);
  assert.ok(!(sent instanceof Error), `${(sent as Error).message}\n${log}`);
  assert.match(await dropslot('import', 'acme'), /1 created/);
  assert.match(await dropslot('users', 'export', 'acme'), /^ann@acme\.test,Ann,/m);
  server.kill('SIGTERM');
  assert.deepEqual(await gone, [0, null], log);
});

const lacking =
  process.getuid?.() !== 0
    ? 'needs root'
    : spawnSync('debootstrap', ['--version']).error !== undefined &&
      'debootstrap is NOT INSTALLED: apt-get install debootstrap';

let base: string | null | undefined;

/** A minimal Debian, made once, or that of DROPSLOT_TEST_DEBIAN; null: no mirror can be reached. */
function findDebian(): string | null {
  if (base !== undefined) return base;
  base = process.env.DROPSLOT_TEST_DEBIAN ?? join(temporaryFolder(scope), 'base');
  if (!existsSync(base) && spawnSync('debootstrap', ['--variant=minbase', 'bookworm', base]).status !== 0) base = null;
  return base;
}

const noMirror = 'NOT TESTED: debootstrap could not make a Debian, no mirror can be reached';

/** A copy of it. */
function makeDebian(): { root: string; run(...words: string[]): SpawnSyncReturns<string> } | null {
  const from = findDebian();
  if (from === null) return null;
  const root = join(temporaryFolder(scope), 'debian');
  execFileSync('cp', ['-a', from, root]);
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'dumb', LC_ALL: 'C' };
  return { root, run: (...words) => spawnSync('chroot', [root, ...words], { env, encoding: 'utf8' }) };
}

test('the Debian package: install, serve, upgrade, remove, install again, purge', { skip: lacking }, async (t) => {
  const debian = makeDebian();
  if (debian === null) return t.skip(noMirror);
  const { root, run } = debian;
  const ok = (...words: string[]): string => {
    const { status, stdout, stderr } = run(...words);
    assert.equal(status, 0, `${words.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  // For systemd: the server is active after a start, until a stop.
  mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
  writeFileSync(
    join(root, 'usr/bin/systemctl'),
    `#!/bin/sh
link=/etc/systemd/system/multi-user.target.wants/dropslot.service
case "$*" in
start*) touch /tmp/active ;;
stop*) rm -f /tmp/active ;;
*is-active*) [ -e /tmp/active ] ;;
*is-enabled*) [ -L $link ] ;;
*preset*) mkdir -p \${link%/*} && ln -s /usr/lib/systemd/system/dropslot.service $link ;;
disable*) rm $link ;;
esac
`,
    { mode: 0o755 },
  );
  const isActive = () => existsSync(join(root, 'tmp/active'));
  const wants = join(root, 'etc/systemd/system/multi-user.target.wants');
  const isEnabled = () => existsSync(wants) && readdirSync(wants).includes('dropslot.service');
  const modeOf = (path: string) => (statSync(join(root, path)).mode & 0o777).toString(8);
  cpSync(nameOf(debian64), join(root, 'tmp/first.deb'));
  ok('dpkg', '-i', '/tmp/first.deb');
  assert.deepEqual([isEnabled(), isActive()], [true, true], 'the installation starts the service');
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
  execFileSync('dpkg-deb', ['-R', nameOf(debian64), next]);
  const control = join(next, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, 'Version: 99.0.0'));
  execFileSync('dpkg-deb', ['-Znone', '--root-owner-group', '-b', next, join(root, 'tmp/next.deb')], { stdio: 'pipe' });
  ok('dpkg', '-i', '--force-confold', '/tmp/next.deb');
  assert.ok(isActive(), 'a server that ran before an upgrade runs after it');
  ok('systemctl', 'stop', 'dropslot.service');
  ok('dpkg', '-i', '--force-confold', '/tmp/next.deb');
  assert.ok(!isActive(), 'a server that was stopped is not started by an upgrade');
  ok('systemctl', 'start', 'dropslot.service');
  assert.match(ok('dpkg', '-s', 'dropslot'), /^Version: 99\.0\.0$/m);
  assert.match(ok('dropslot', 'config', 'show'), /help desk/);
  await serve();
  assert.match(ok('dropslot', 'queue', 'acme'), /\/users\.csv/);

  ok('dpkg', '-r', 'dropslot');
  assert.ok(!existsSync(join(root, 'usr/bin/dropslot')));
  for (const path of ['etc/dropslot/dropslot.json', 'var/lib/dropslot/control.db'])
    assert.ok(existsSync(join(root, path)));
  assert.ok(!isActive(), 'a removal stops the server');

  // Installed again, the service is enabled or disabled as before.
  ok('dpkg', '-i', '/tmp/next.deb');
  assert.deepEqual([isEnabled(), isActive()], [true, true]);
  assert.match(ok('dropslot', 'queue', 'acme'), /\/users\.csv/);
  ok('dpkg', '-r', 'dropslot');
  ok('dpkg', '-i', '/tmp/next.deb');
  ok('systemctl', 'disable', 'dropslot.service');
  ok('dpkg', '-r', 'dropslot');
  ok('dpkg', '-i', '/tmp/next.deb');
  assert.deepEqual([isEnabled(), isActive()], [false, false]);
  ok('dpkg', '-r', 'dropslot');
  const purged = run('dpkg', '-P', 'dropslot');
  assert.equal(purged.status, 0, purged.stderr);
  assert.match(purged.stderr, /kept \/var\/lib\/dropslot.*\nTo erase it for good: /);
  for (const path of ['etc/dropslot', 'var/log/dropslot', 'usr/lib/dropslot', 'etc/logrotate.d/dropslot'])
    assert.ok(!existsSync(join(root, path)), path);
  assert.ok(existsSync(join(root, 'var/lib/dropslot/keys/master.key')), 'the only master key is kept');

  // docs/upgrade.md: the data of the first release, also from a backup of it, and the way back.
  ok('rm', '-rf', '/var/lib/dropslot');
  ok('dpkg', '-i', '/tmp/first.deb');
  ok('systemctl', 'stop', 'dropslot.service');
  const oldData = join(root, 'var/lib/dropslot');
  execFileSync('tar', ['-C', oldData, '-xzf', 'test/formats/0.1.0/data.tar.gz']);
  ok('chown', '-R', 'dropslot:dropslot', '/var/lib/dropslot');
  const backup = join(root, 'var/backups/before-upgrade');
  execFileSync('cp', ['-a', oldData, backup]);
  const files = readdirSync(join(backup, 'blobs'), { recursive: true, withFileTypes: true }).filter((one) =>
    one.isFile(),
  );
  const made = {
    at: '2026-11-01T00:00:00.000Z',
    files: files.length,
    sealedBytes: 0,
    masterKey: 'left out',
    wrong: [],
  };
  writeFileSync(join(backup, 'backup.json'), JSON.stringify({ folder: '/var/backups/before-upgrade', ...made }));
  ok('mv', '/var/backups/before-upgrade/keys/master.key', '/var/backups/master.key');
  const requireData = (): void => {
    const orgs = JSON.parse(ok('dropslot', 'orgs', 'list', '--json')) as { id: string }[];
    assert.ok(orgs.some(({ id }) => id === 'acme'));
    const examined = run('dropslot', 'doctor', '--deep', '--json');
    const { findings } = JSON.parse(examined.stdout) as { findings: { level: string; check: string }[] };
    const damage = findings.filter(({ level, check }) => level === 'wrong' && check !== 'organization');
    assert.deepEqual(damage, [], examined.stdout);
  };
  requireData();
  assert.equal(ok('find', '/var/lib/dropslot', '!', '-user', 'dropslot'), '');
  ok('mv', '/var/lib/dropslot', '/var/lib/dropslot.new');
  ok('install', '-d', '-m', '0700', '-o', 'dropslot', '-g', 'dropslot', '/var/lib/dropslot');
  ok('chown', '-R', 'dropslot:dropslot', '/var/backups');
  const key010 = ['--master-key', '/var/backups/master.key'];
  const restored = run('dropslot', 'restore', '/var/backups/before-upgrade', '--data', '/var/lib/dropslot', ...key010);
  assert.match(restored.stdout, /^Restored the backup of 2026-11-01 00:00 UTC/, restored.stderr);
  assert.equal(ok('find', '/var/lib/dropslot', '!', '-user', 'dropslot'), '', 'root leaves no file of its own');
  requireData();
  ok('rm', '-rf', '/var/lib/dropslot.new');
  ok('dpkg', '-P', 'dropslot');

  // Without data, a purge leaves nothing.
  ok('rm', '-rf', '/var/lib/dropslot');
  ok('dpkg', '-i', '/tmp/first.deb');
  ok('dpkg', '-P', 'dropslot');
  assert.ok(!existsSync(join(root, 'var/lib/dropslot')));
  assert.equal(run('getent', 'passwd', 'dropslot').status, 2, 'the user is gone');
  const units = ok('find', '/etc/systemd', '/var/lib/systemd', '-name', '*dropslot*');
  assert.equal(units, '', 'and so is what systemd knew of the service');
});

const lackingForImage =
  lacking ||
  (spawnSync('buildah', ['--version']).error !== undefined && 'buildah is NOT INSTALLED: apt-get install buildah');

/** For the images of Node.js: Debian with the Node.js of this machine, whose npm takes the packages of this checkout. */
const npmOfBuild = `#!/bin/sh
set -e
if [ "$1" = ci ]; then cp -a /packages node_modules; set -- run build; fi
exec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"
`;

test('the container image is built, and runs as its user with a read-only root', { skip: lackingForImage }, (t) => {
  const debian = findDebian();
  if (debian === null) return t.skip(noMirror);
  const work = temporaryFolder(scope);
  const places = ['--storage-driver=vfs', '--root', join(work, 'storage'), '--runroot', join(work, 'run')];
  const buildah = (...words: string[]): string =>
    execFileSync('buildah', [...places, ...words], { encoding: 'utf8', stdio: 'pipe' }).trim();
  const commit = (from: string, image: string, fill: (root: string, container: string) => void): void => {
    const container = buildah('from', '--pull-never', from);
    fill(buildah('mount', container), container);
    buildah('umount', container);
    buildah('commit', '--quiet', '--rm', '--format', 'docker', container, image);
  };
  commit('scratch', 'node:24-bookworm-slim', (root, container) => {
    execFileSync('cp', ['-a', `${debian}/.`, root]);
    cpSync(process.execPath, join(root, 'usr/local/bin/node'));
    buildah('config', '--env', 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container);
  });
  commit('node:24-bookworm-slim', 'node:24-bookworm', (root) => {
    const npm = realpathSync(execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim());
    cpSync(join(npm, '../..'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
    writeFileSync(join(root, 'usr/local/bin/npm'), npmOfBuild, { mode: 0o755 });
  });
  const checkout = dirname(realpathSync('package.json'));
  const packages = `${join(checkout, 'node_modules')}:/packages:ro`;
  const file = join(checkout, 'packaging/container/Dockerfile');
  const words = ['--pull-never', '--isolation=chroot', '--format=docker', '--volume', packages, '-f', file];
  buildah('bud', ...words, '-t', 'dropslot', checkout);

  const { Docker } = JSON.parse(buildah('inspect', '--type', 'image', 'dropslot'));
  const { User, Entrypoint, Cmd, Env, Healthcheck, StopSignal, Volumes } = Docker.config;
  assert.deepEqual([User, Entrypoint, Cmd, StopSignal], ['10001:10001', ['dropslot'], ['serve'], 'SIGTERM']);
  assert.deepEqual(Volumes, { '/data': {} });
  const root = buildah('mount', buildah('from', '--pull-never', 'dropslot'));
  const folder = temporaryFolder(scope);
  const volume = join(folder, 'data');
  mkdirSync(volume, { mode: 0o700 });
  chownSync(volume, 10001, 10001);
  const key = newKeyPair();
  writeFileSync(join(volume, 'acme.pub'), `${key.public.algorithm} ${key.public.publicKey}\n`);
  writeFileSync(join(folder, 'key'), key.private, { mode: 0o600 });
  writeFileSync(join(folder, 'users.csv'), 'User Email\nann@acme.test\n');
  const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
  // As an engine runs it: its user and environment, a read-only root, a volume, and nothing but the loopback.
  const script = `set -eu
ip link set lo up
mount --make-rprivate /
mount --bind ${root} ${root} && mount -o remount,bind,ro ${root}
mount --bind ${volume} ${root}/data
mount -t tmpfs tmpfs ${root}/tmp && mount -t proc proc ${root}/proc && mount --rbind /dev ${root}/dev
inside() { chroot --userspec=${User} ${root} env -i ${Env.map(quote).join(' ')} "$@"; }
! inside touch /usr/lib/x 2>/dev/null
inside dropslot orgs add acme --owner jane@acme.test --enable
inside dropslot keys add acme /data/acme.pub
chroot --userspec=${User} ${root} env -i ${Env.map(quote).join(' ')} ${[...Entrypoint, ...Cmd].join(' ')} &
server=$!
until inside ${Healthcheck.Test.slice(1).map(quote).join(' ')}; do kill -0 $server; sleep 0.5; done
echo 'put users.csv' | sftp -q -b - -i key -P 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null acme@127.0.0.1
inside dropslot queue acme
kill -TERM $server && wait $server
echo stopped with $?
`;
  const options = { cwd: folder, encoding: 'utf8', timeout: patienceMs } as const;
  const { stdout, stderr } = spawnSync('unshare', ['--mount', '--net', 'sh', '-c', script], options);
  assert.match(stdout, /\/users\.csv[\s\S]*stopped with 0\n$/, stdout + stderr);
});
