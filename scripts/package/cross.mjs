// The parts of a program for another processor than this machine's: its Node.js, and the native modules, cross-compiled.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { listFiles, root } from './program.mjs';

/** Debian's prefix of the tools, and the number of the processor in the header of a program (ELF). */
const processors = {
  x64: { tools: 'x86_64-linux-gnu', machine: 62 },
  arm64: { tools: 'aarch64-linux-gnu', machine: 183 },
};

export const architectures = Object.keys(processors);

/** Why this machine can't build for a processor; null: it can. */
export function findLack(arch) {
  if (arch === process.arch) return null;
  if (!architectures.includes(arch)) return `the processors are ${architectures.join(' and ')}`;
  if (process.platform !== 'linux') return `this is ${process.platform}`;
  const compiler = toolOf(arch, 'g++');
  if (spawnSync(compiler, ['--version']).error === undefined) return null;
  return `${compiler} is not installed (Debian: apt-get install g++-${processors[arch].tools.replace('_', '-')})`;
}

/**
 * Of ssh2. Cross-compiled, its ChaCha20-Poly1305 failed at the first packet ("invalid operation", Node.js 20 for arm64 under qemu);
 * without it ssh2 uses the ciphers of Node.js.
 */
const leftOut = '/sshcrypto.node';

/** Replaces Node.js and the native modules in a copied program. */
export function crossCompile({ program, arch, work }) {
  const node = join(program, 'bin', 'node');
  copyFileSync(process.env[`DROPSLOT_NODE_${arch.toUpperCase()}`] ?? fetchNode(arch, work), node);
  chmodSync(node, 0o755);
  requireFits(node, arch, process.version);
  for (const path of listFiles(program).filter((path) => path.endsWith(leftOut))) rmSync(join(program, path));
  const modules = listFiles(program).filter((path) => path.endsWith('.node'));
  const sources = join(work, `native-${arch}`);
  copySources(sources, withHeaders(modules.map((path) => path.split('/')[1])));
  for (const path of modules) {
    const module = path.slice(0, path.indexOf('/build/'));
    compile(join(sources, module), arch);
    execFileSync(toolOf(arch, 'strip'), ['--strip-unneeded', '-o', join(program, path), join(sources, path)]);
    requireFits(join(program, path), arch);
  }
}

/** The same version as this one, of the npm registry. */
function fetchNode(arch, work) {
  const name = `node-linux-${arch}@${process.versions.node}`;
  const folder = join(work, `node-${arch}`);
  mkdirSync(folder);
  const fetched = spawnSync('npm', ['pack', '--silent', '--pack-destination', folder, name], { encoding: 'utf8' });
  if (fetched.status !== 0) {
    const ways = `name its Node.js by DROPSLOT_NODE_${arch.toUpperCase()}=FILE, or build without it: --arch ${process.arch}`;
    throw new Error(`the npm registry did not give ${name}: ${ways}\n${fetched.stderr}`);
  }
  execFileSync('tar', ['-xzf', join(folder, fetched.stdout.trim()), '-C', folder]);
  return join(folder, 'package', 'bin', 'node');
}

/** Packages, and those that have their headers: the names of these stand in what is compiled. */
function withHeaders(packages) {
  const needed = packages.flatMap((name) => {
    const { dependencies = {}, optionalDependencies = {} } = readManifest(join(root, 'node_modules', name));
    return [name, ...Object.keys(dependencies), ...Object.keys(optionalDependencies)];
  });
  return new Set(needed);
}

/**
 * The packages that are compiled, and their headers, are copied without what was compiled in them, so that they have the same paths
 * from one another wherever they are; the others are linked.
 */
function copySources(folder, copied) {
  const modules = join(root, 'node_modules');
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  for (const name of readdirSync(modules)) {
    const source = join(modules, name);
    const target = join(folder, 'node_modules', name);
    if (!copied.has(name)) symlinkSync(source, target);
    else cpSync(source, target, { recursive: true, filter: (path) => !/\/(build|buildcheck\.gypi)$/.test(path) });
  }
}

function compile(module, arch) {
  const env = { ...process.env, CC: toolOf(arch, 'gcc'), CXX: toolOf(arch, 'g++'), AR: toolOf(arch, 'ar') };
  const options = { cwd: module, env: { ...env, LINK: env.CXX }, stdio: 'pipe', maxBuffer: 64 * 1024 * 1024 };
  const { scripts = {} } = readManifest(module);
  // cpu-features asks the compiler about the processor first.
  const [, before] = /^(node \S+ > \S+) && node-gyp/.exec(scripts.install ?? '') ?? [];
  if (before !== undefined) execFileSync('sh', ['-c', before], options);
  execFileSync(process.execPath, [findGyp(), 'rebuild', `--arch=${arch}`, '--jobs=max', ...headersOf()], options);
}

function readManifest(folder) {
  const file = join(folder, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

/** That of npm. */
function findGyp() {
  const npm = execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim();
  return createRequire(join(npm, 'npm', 'package.json')).resolve('node-gyp/bin/node-gyp.js');
}

/** Those beside this Node.js; node-gyp fetches them where there are none. */
function headersOf() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, 'include/node/node.h')) ? [`--nodedir=${prefix}`] : [];
}

function toolOf(arch, name) {
  return `${processors[arch].tools}-${name}`;
}

/** @throws when a program is for another processor, or another version */
function requireFits(file, arch, version = '') {
  const bytes = readFileSync(file);
  const isElf = bytes.subarray(1, 4).toString('latin1') === 'ELF';
  if (!isElf || bytes.readUInt16LE(18) !== processors[arch].machine) throw new Error(`${file} is not for ${arch}`);
  if (!bytes.includes(version)) throw new Error(`${file} is not Node.js ${version}`);
}
