// Builds the offline bundle: the program with its own Node.js, documents, and a script that installs it without any network.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles, renderChecksums, root, settle } from './program.mjs';

export function buildBundle({ program, bill, work, out, version, epoch }) {
  const name = `dropslot-${version}-${process.platform}-${process.arch}`;
  const tree = join(work, name);
  mkdirSync(tree);
  cpSync(program, join(tree, 'program'), { recursive: true });
  for (const folder of ['docs', 'packaging']) cpSync(join(root, folder), join(tree, folder), { recursive: true });
  for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) copyFileSync(join(root, file), join(tree, file));
  copyFileSync(join(root, 'packaging/bundle/install.sh'), join(tree, 'install.sh'));
  copyFileSync(bill, join(tree, 'dropslot.cdx.json'));
  writeFileSync(join(tree, 'SHA256SUMS'), renderChecksums('sha256', tree, listFiles(tree)));
  settle(tree, epoch);
  const owner = ['--owner=0', '--group=0', '--numeric-owner', `--mtime=@${epoch}`, '--sort=name', '--format=gnu'];
  const archive = join(out, `${name}.tar`);
  execFileSync('tar', [...owner, '-C', work, '-cf', archive, name]);
  execFileSync('gzip', ['-6', '-n', archive]);
}
