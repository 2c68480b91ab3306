// `npm run package [-- --out FOLDER] [--arch x64,arm64]`: builds into release/ a Debian package and a bundle that installs without any
// network, for this machine's processor and each other one that it has a compiler for; the npm package, the bill of materials, and
// their checksums. Two runs on the same commit and the same node_modules give the same bytes. DROPSLOT_SIGN_KEY names an SSH key
// that signs the checksums.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { buildBundle } from './package/bundle.mjs';
import { architectures, crossCompile, findLack } from './package/cross.mjs';
import { buildDebian } from './package/debian.mjs';
import { copyProgram, epochOf, listFiles, renderBill, renderChecksums, root } from './package/program.mjs';

const { values } = parseArgs({ options: { out: { type: 'string', default: 'release' }, arch: { type: 'string' } } });
const out = resolve(values.out);
const epoch = epochOf();
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const work = mkdtempSync(join(tmpdir(), 'dropslot-package-'));
try {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const bill = join(out, `dropslot-${version}.cdx.json`);
  writeFileSync(bill, renderBill(epoch));
  for (const arch of chooseArchitectures()) {
    const place = join(work, arch);
    const program = join(place, 'program');
    copyProgram(program);
    if (arch !== process.arch) crossCompile({ program, arch, work });
    const parts = { program, arch, bill, work: place, out, version, epoch };
    buildDebian(parts);
    buildBundle(parts);
  }
  execFileSync('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', out], {
    cwd: root,
    stdio: 'pipe',
  });
  writeChecksums();
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** @throws when one that was asked for can't be built here */
function chooseArchitectures() {
  const asked = values.arch?.split(',');
  const chosen = asked ?? [process.arch, ...architectures.filter((arch) => arch !== process.arch)];
  return chosen.filter((arch) => {
    const lack = findLack(arch);
    if (lack !== null && asked !== undefined) throw new Error(`no packages for ${arch}: ${lack}`);
    if (lack !== null) console.log(`no packages for ${arch}: ${lack}`);
    return lack === null;
  });
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
