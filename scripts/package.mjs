// `npm run package [-- --out FOLDER]`: builds the packages of this machine's platform into release/: a Debian package, a bundle that
// installs without any network, the npm package, the bill of materials, and their checksums. Two runs on the same commit
// and the same node_modules give the same bytes. DROPSLOT_SIGN_KEY names an SSH key that signs the checksums.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundle } from './package/bundle.mjs';
import { buildDebian } from './package/debian.mjs';
import { copyProgram, epochOf, listFiles, renderBill, renderChecksums, root } from './package/program.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'release' } } });
const out = resolve(values.out);
const epoch = epochOf();
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'dropslot-package-'));
try {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const program = join(work, 'program');
  copyProgram(program);
  const bill = join(out, `dropslot-${version}.cdx.json`);
  writeFileSync(bill, renderBill(epoch));
  buildDebian({ program, bill, work, out, version, epoch });
  buildBundle({ program, bill, work, out, version, epoch });
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], {
    cwd: root,
    stdio: 'pipe',
  });
  writeChecksums();
} finally {
  rmSync(work, { recursive: true, force: true });
}

function writeChecksums() {
  const sums = renderChecksums('sha256', out, listFiles(out));
  const file = join(out, 'SHA256SUMS');
  writeFileSync(file, sums);
  console.log(sums.trimEnd());
  const key = process.env.DROPSLOT_SIGN_KEY;
  if (key === undefined) return;
  execFileSync('ssh-keygen', ['-Y', 'sign', '-q', '-n', 'dropslot', '-f', key, file]);
  console.log(`signed: ${file}.sig`);
}
