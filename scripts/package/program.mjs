// The parts that every package has: the built program with its production dependencies and the Node.js that runs it, the time that
// stands in the packages, and the bill of materials.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** Seconds since 1970: SOURCE_DATE_EPOCH, or the time of the commit, so that the same sources have the same. */
export function epochOf() {
  const given = process.env.SOURCE_DATE_EPOCH;
  if (given !== undefined) return Number(given);
  try {
    return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8', stdio: 'pipe' }));
  } catch {
    return Date.UTC(2026, 0, 1) / 1000;
  }
}

/** `bin/node`, `dist/`, `node_modules/` and the manifest. */
export function copyProgram(folder) {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  copyFileSync(process.execPath, join(folder, 'bin', 'node'));
  chmodSync(join(folder, 'bin', 'node'), 0o755);
  for (const name of ['package.json', 'LICENSE']) copyFileSync(join(root, name), join(folder, name));
  cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  for (const path of listDependencies())
    cpSync(join(root, path), join(folder, path), {
      recursive: true,
      filter: (source) => isNeeded(relative(join(root, path), source)),
    });
}

/** Paths of production packages; nested ones are within the folder of theirs. An optional one may not be installed. */
function listDependencies() {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path)
    .filter((path) => !path.includes('/node_modules/') && existsSync(join(root, path)));
}

/** Of native packages the compiled part, and not the sources and intermediate files. */
function isNeeded(path) {
  if (/(^|\/)(deps|\.bin|\.github|test|node_gyp_bins|obj\.target|\.deps)$/.test(path)) return false;
  if (/(^|\/)build\/Release\/./.test(path)) return path.endsWith('.node');
  return !/\.(map|ts|cts|mts|md|gyp|gypi|mk|cc|c|h|cpp)$|(^|\/)(Makefile|binding\.Makefile)$/.test(path);
}

/** The first release of GCC whose C++ library has a version of its symbols (GLIBCXX_3.4.N). */
const compilers = {
  21: 5,
  22: 6,
  23: 7,
  24: 7,
  25: 8,
  26: 9,
  27: 9,
  28: 10,
  29: 11,
  30: 12,
  31: 13,
  32: 13,
  33: 14,
  34: 15,
};

/** The oldest C library, and C++ library by its GCC, with which Node.js and the native modules of a program run. @throws for one that is newer than `compilers` */
export function readNeeds(program) {
  const texts = listFiles(program)
    .filter((path) => path === 'bin/node' || path.endsWith('.node'))
    .map((path) => readFileSync(join(program, path), 'latin1'));
  const latest = (pattern) =>
    Math.max(...texts.flatMap((text) => [...text.matchAll(pattern)].map(([, number]) => Number(number))));
  const symbols = latest(/\0GLIBCXX_3\.4\.(\d+)\0/g);
  if (symbols > 0 && compilers[symbols] === undefined)
    throw new Error(
      `a native part needs GLIBCXX_3.4.${symbols}: add its GCC to "compilers" in scripts/package/program.mjs`,
    );
  return { libc: `2.${latest(/\0GLIBC_2\.(\d+)(?=[.\0])/g)}`, libstdcxx: compilers[symbols] };
}

/** CycloneDX; npm's own text has a random number and the time of its making. */
export function renderBill(epoch) {
  const text = execFileSync('node', ['scripts/sbom.mjs'], { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  const bill = JSON.parse(text);
  const digits = createHash('sha256').update(JSON.stringify(bill.components)).digest('hex');
  const parts = [digits.slice(0, 8), digits.slice(8, 12), `5${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`];
  bill.serialNumber = `urn:uuid:${[...parts, digits.slice(20, 32)].join('-')}`;
  bill.metadata.timestamp = new Date(epoch * 1000).toISOString();
  return `${JSON.stringify(bill, null, 2)}\n`;
}

/** Paths of all files below a folder, relative to it, in the same order everywhere. */
export function listFiles(tree, folder = '') {
  const entries = readdirSync(join(tree, folder), { withFileTypes: true });
  return entries
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? listFiles(tree, path) : [path];
    })
    .sort();
}

/** A line for each file, as `sha256sum` and `md5sum` check it. */
export function renderChecksums(algorithm, folder, files) {
  const lines = files.map((file) => {
    const digest = createHash(algorithm).update(readFileSync(join(folder, file)));
    return `${digest.digest('hex')}  ${file}\n`;
  });
  return lines.join('');
}

/** Sets the modes and times of all files below a folder, so that they don't depend on this machine. */
export function settle(folder, epoch) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) settle(path, epoch);
    else if (entry.isFile()) chmodSync(path, isProgram(path) ? 0o755 : 0o644);
    lutimesSync(path, epoch, epoch);
  }
  chmodSync(folder, 0o755);
  lutimesSync(folder, epoch, epoch);
}

function isProgram(path) {
  if (/\.(sh|node)$|(^|\/)(bin\/node|usr\/bin\/dropslot|dist\/app\/main\.js)$/.test(path)) return true;
  return /^(postinst|prerm|postrm)$/.test(path.split('/').at(-1)) && dirname(path).endsWith('DEBIAN');
}
