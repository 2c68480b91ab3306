// `node scripts/node-versions.mjs [VERSION…]`: runs the demo and the smoke test on each supported Node, and says which
// versions ran. Needs a build. Exit code 1 when one fails; a version that can't be downloaded is skipped, in capitals.
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The oldest that package.json allows, then the newest of each line. */
const supported = ['20.19.0', '22', '24', '26'];
/** Two share the processor with their clients and servers; more would only wait for each other. */
const atOnce = 2;
const stepWithinMs = 240_000;
const cipherFolder = join('lib', 'protocol', 'crypto');

const root = fileURLToPath(new URL('..', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'dropslot-nodes-'));
const waiting = process.argv.length > 2 ? process.argv.slice(2) : [...supported];
const lines = [];
try {
  await Promise.all(Array.from({ length: atOnce }, workThrough));
} finally {
  rmSync(work, { recursive: true, force: true });
}
console.log(`\nNode versions:\n${lines.sort().join('\n')}`);

async function workThrough() {
  for (let version = waiting.shift(); version !== undefined; version = waiting.shift())
    lines.push(await tryOn(version));
}

/** Its line of the summary. */
async function tryOn(version) {
  const begun = performance.now();
  const folder = join(work, version);
  const node = await download(version, folder).catch((error) => error);
  if (node instanceof Error) {
    console.log(`\n*** SKIPPED: NODE ${version} COULD NOT BE DOWNLOADED ***\n${node.message}`);
    return `  ${version}  SKIPPED: not downloaded`;
  }
  layProgram(folder);
  const ciphers = (await compileCiphers(node, folder)) ? 'compiled ciphers' : 'ciphers in JavaScript';
  try {
    const demo = join(folder, 'demo', 'run.ts');
    await run(node.program, ['--import', 'tsx', demo, join(folder, 'demo-data')], { cwd: folder, node });
    await run(node.program, [join(root, 'scripts', 'smoke.mjs'), folder], { cwd: folder, node });
    const seconds = Math.round((performance.now() - begun) / 1000);
    return `  ${node.version}  demo and smoke test passed (${ciphers}, ${seconds} s)`;
  } catch (error) {
    process.exitCode = 1;
    console.log(`\n*** FAILED ON NODE ${node.version} ***\n${error.message}`);
    return `  ${node.version}  FAILED`;
  }
}

/** The npm package `node` gets its binaries from these, one for each platform. @throws Error when npm does not have it. */
async function download(version, folder) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const home = join(folder, 'node');
  mkdirSync(home, { recursive: true });
  const options = ['--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--prefix', home];
  await run('npm', ['install', ...options, `${name}@${version}`], { cwd: home });
  const place = join(home, 'node_modules', name);
  const program = join(place, 'bin', 'node');
  return { place, program, version: (await run(program, ['--version'], { cwd: home })).trim() };
}

/** The built program with the packages of this repository, but for ssh2, which compiles its ciphers for one Node only. */
function layProgram(folder) {
  const modules = join(root, 'node_modules');
  const own = join(folder, 'node_modules');
  // The demo imports a few sources.
  const { include: rooms } = JSON.parse(readFileSync(join(root, 'tsconfig.build.json'), 'utf8'));
  for (const name of ['package.json', 'dist', 'demo', ...rooms])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  mkdirSync(own);
  for (const name of readdirSync(modules)) if (name !== 'ssh2') symlinkSync(join(modules, name), join(own, name));
  cpSync(realpathSync(join(modules, 'ssh2')), join(own, 'ssh2'), { recursive: true });
  rmSync(join(own, 'ssh2', cipherFolder, 'build'), { recursive: true, force: true });
}

/** false: this machine has no compiler, or ssh2 can't be compiled for this Node; ssh2 then encrypts in JavaScript. */
async function compileCiphers(node, folder) {
  const gyp = join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  if (!existsSync(gyp)) return false;
  const options = ['rebuild', `--nodedir=${node.place}`, '--real_openssl_major=3'];
  const cwd = join(folder, 'node_modules', 'ssh2', cipherFolder);
  // A build is proven by loading it: one made with another Node's headers is of no use here.
  const load = ['-e', 'require("./build/Release/sshcrypto.node")'];
  return run(node.program, [gyp, ...options], { cwd, node })
    .then(() => run(node.program, load, { cwd, node }))
    .then(
      () => true,
      () => false,
    );
}

/** What it printed. @throws Error with what it printed, when it fails or takes too long. */
function run(command, args, { cwd, node }) {
  // Programs that a program starts as `node` are to run on the same one.
  const path = node === undefined ? process.env.PATH : [join(node.place, 'bin'), process.env.PATH].join(delimiter);
  // npm's own choice of headers, which node-gyp would prefer to --nodedir, is that of the Node that npm runs on.
  const { npm_config_nodedir: _headers, ...inherited } = process.env;
  const child = spawn(command, args, { cwd, env: { ...inherited, PATH: path }, stdio: ['ignore', 'pipe', 'pipe'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), stepWithinMs);
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      if (code === 0) resolve(printed);
      else reject(new Error(`${command} ${args.join(' ')} ended with ${signal ?? `exit code ${code}`}:\n${printed}`));
    });
  });
}
