// Builds the offline bundle: the program with its own Node.js, documents, and a script that installs it without any network.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, settle } from './program.mjs';

export function buildBundle({ program, bill, work, out, version, epoch }) {
  const name = `dropslot-${version}-${process.platform}-${process.arch}`;
  const tree = join(work, name);
  mkdirSync(tree);
  cpSync(program, join(tree, 'program'), { recursive: true });
  for (const folder of ['docs', 'packaging']) cpSync(join(root, folder), join(tree, folder), { recursive: true });
  for (const file of ['README.md', 'CHANGELOG.md', 'LICENSE']) copyFileSync(join(root, file), join(tree, file));
  copyFileSync(join(root, 'packaging/bundle/install.sh'), join(tree, 'install.sh'));
  copyFileSync(bill, join(tree, 'dropslot.cdx.json'));
  const sums = listFiles(tree, '').map(
    (file) =>
      `${createHash('sha256')
        .update(readFileSync(join(tree, file)))
        .digest('hex')}  ${file}`,
  );
  writeFileSync(join(tree, 'SHA256SUMS'), `${sums.join('\n')}\n`);
  settle(tree, epoch);
  const owner = ['--owner=0', '--group=0', '--numeric-owner', `--mtime=@${epoch}`, '--sort=name', '--format=gnu'];
  const archive = join(out, `${name}.tar`);
  execFileSync('tar', [...owner, '-C', work, '-cf', archive, name]);
  execFileSync('gzip', ['-6', '-n', archive]);
}

function listFiles(tree, folder) {
  const entries = readdirSync(join(tree, folder), { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? listFiles(tree, path) : [path];
    })
    .sort();
}
