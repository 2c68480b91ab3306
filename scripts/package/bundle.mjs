// Builds the offline bundle: the program with its own Node.js, documents, and a script that installs it without any network.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles, readNeeds, renderChecksums, root, settle } from './program.mjs';

export function buildBundle({ program, arch, bill, work, out, version, epoch }) {
  const name = `dropslot-${version}-${process.platform}-${arch}`;
  const tree = join(work, name);
  mkdirSync(tree);
  cpSync(program, join(tree, 'program'), { recursive: true });
  for (const folder of ['docs', 'packaging']) cpSync(join(root, folder), join(tree, folder), { recursive: true });
  for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) copyFileSync(join(root, file), join(tree, file));
  writeFileSync(join(tree, 'install.sh'), renderInstaller(`${process.platform}-${arch}`, readNeeds(program)));
  copyFileSync(bill, join(tree, 'dropslot.cdx.json'));
  writeFileSync(join(tree, 'SHA256SUMS'), renderChecksums('sha256', tree, listFiles(tree)));
  settle(tree, epoch);
  const owner = ['--owner=0', '--group=0', '--numeric-owner', `--mtime=@${epoch}`, '--sort=name', '--format=gnu'];
  const archive = join(out, `${name}.tar`);
  execFileSync('tar', [...owner, '-C', work, '-cf', archive, name]);
  execFileSync('gzip', ['-6', '-n', archive]);
}

/** The script says what the bundle needs, on a machine that does not have it. */
function renderInstaller(platform, { libc, libstdcxx }) {
  const values = { PLATFORM: platform, LIBC: libc, LIBSTDCXX: libstdcxx };
  const text = readFileSync(join(root, 'packaging/bundle/install.sh'), 'utf8');
  return text.replace(/@([A-Z]+)@/g, (_, name) => values[name]);
}
