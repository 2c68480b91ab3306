// Builds the Debian package: the program with its own Node.js, the unit for systemd, settings, completions and manual pages.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { listFiles, readNeeds, renderChecksums, root, settle } from './program.mjs';

const architectures = { x64: 'amd64', arm64: 'arm64' };
const completions = {
  bash: 'usr/share/bash-completion/completions/dropslot',
  zsh: 'usr/share/zsh/vendor-completions/_dropslot',
  fish: 'usr/share/fish/vendor_completions.d/dropslot.fish',
};

export function buildDebian({ program, arch, bill, work, out, version, epoch }) {
  const architecture = architectures[arch];
  if (process.platform !== 'linux' || architecture === undefined) {
    console.log(`no Debian package: this is ${process.platform} on ${arch}`);
    return;
  }
  const tree = join(work, 'debian');
  const put = (target, text) => {
    mkdirSync(dirname(join(tree, target)), { recursive: true });
    writeFileSync(join(tree, target), text);
  };
  const copy = (source, target) => {
    mkdirSync(dirname(join(tree, target)), { recursive: true });
    copyFileSync(join(root, source), join(tree, target));
  };
  cpSync(program, join(tree, 'usr/lib/dropslot'), { recursive: true });
  copy('packaging/debian/dropslot.sh', 'usr/bin/dropslot');
  copy('packaging/debian/dropslot.json', 'etc/dropslot/dropslot.json');
  copy('packaging/logrotate', 'etc/logrotate.d/dropslot');
  copy('packaging/dropslot.service', 'usr/lib/systemd/system/dropslot.service');
  copy('packaging/debian/tmpfiles.conf', 'usr/lib/tmpfiles.d/dropslot.conf');
  for (const [shell, target] of Object.entries(completions)) put(target, run(program, ['completion', shell]));
  for (const page of readdirSync(join(root, 'dist/man')))
    put(`usr/share/man/man1/${page}.gz`, gzip(readFileSync(join(root, 'dist/man', page))));
  put('usr/share/doc/dropslot/changelog.gz', gzip(readFileSync(join(root, 'CHANGELOG.md'))));
  put('usr/share/doc/dropslot/copyright', describeRights());
  put('usr/share/doc/dropslot/dropslot.cdx.json', readFileSync(bill));
  cpSync(join(root, 'docs'), join(tree, 'usr/share/doc/dropslot/docs'), { recursive: true });
  for (const name of ['postinst', 'prerm', 'postrm']) copy(`packaging/debian/${name}`, `DEBIAN/${name}`);
  const files = listFiles(tree).filter((file) => !file.startsWith('DEBIAN/'));
  put('DEBIAN/md5sums', renderChecksums('md5', tree, files));
  put(
    'DEBIAN/conffiles',
    `${files
      .filter((file) => file.startsWith('etc/'))
      .map((file) => `/${file}`)
      .join('\n')}\n`,
  );
  const kilobytes = files.reduce((sum, file) => sum + Math.ceil(statSync(join(tree, file)).size / 1024), 0);
  put('DEBIAN/control', describePackage(version, architecture, kilobytes, readNeeds(program)));
  settle(tree, epoch);
  const target = join(out, `dropslot_${debianVersion(version)}_${architecture}.deb`);
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(epoch) };
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z6', '--build', tree, target], { env, stdio: 'pipe' });
}

/** `1.0.0-rc.1` comes before `1.0.0`. */
function debianVersion(version) {
  return version.replace('-', '~');
}

function describePackage(version, architecture, kilobytes, { libc, libstdcxx }) {
  return `Package: dropslot
Version: ${debianVersion(version)}
Architecture: ${architecture}
Maintainer: Dropslot <dropslot@localhost>
Installed-Size: ${kilobytes}
Depends: adduser, libc6 (>= ${libc}), libstdc++6 (>= ${libstdcxx})
Recommends: logrotate
Section: net
Priority: optional
Description: SFTP drop box for HR files
 Organizations upload HR files with any SFTP client. Dropslot seals each file as it
 arrives, and once a day imports the files of each organization into users and teams.
 The package has its own Node.js.
`;
}

function describeRights() {
  const licence = readFileSync(join(root, 'LICENSE'), 'utf8');
  return `Dropslot is distributed under the MIT licence:

${licence}
It contains Node.js (/usr/lib/dropslot/bin/node), https://github.com/nodejs/node/blob/main/LICENSE, and the packages in
/usr/lib/dropslot/node_modules, each with its own licence; dropslot.cdx.json lists them.
`;
}

function run(program, words) {
  // By this machine's Node.js: that of the program may be for another processor.
  return execFileSync(process.execPath, [join(program, 'dist/app/main.js'), ...words]);
}

/** Without a name and a time. */
function gzip(bytes) {
  return execFileSync('gzip', ['-9', '-n'], { input: bytes });
}
