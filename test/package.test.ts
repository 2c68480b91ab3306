/** The npm package: it has what the README links to and what the program needs, and no sources; it runs once installed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';
import { installPackage, manifest, pack, packageRoot } from './support/package.js';
import { temporaryFolder } from './support/temporary.js';

/** Targets of a Markdown text's links that are files of the repository, seen from its root. */
function linksOf(file: string): string[] {
  const text = readFileSync(join(packageRoot, file), 'utf8');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!.replace(/#.*/, ''))
    .filter((target) => target !== '' && !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(file), target)));
}

const plots = ['idle-sessions', 'import-memory', 'import-time', 'login-rate', 'login-time', 'scaling'].map(
  (name) => `docs/${name}.svg`,
);

test('the package has each file that its documents link to, the program, its types, and no sources or maps', () => {
  const { files } = pack('--dry-run');
  const isPacked = (target: string) =>
    files.includes(target) || files.some((file) => file.startsWith(`${target.replace(/\/$/, '')}/`));
  const documents = files.filter((file) => file.endsWith('.md'));
  assert.ok(documents.includes('README.md') && documents.length > 10);
  const broken = documents.flatMap((file) =>
    linksOf(file)
      .filter((target) => !isPacked(target))
      .map((target) => `${file} links to ${target}`),
  );
  assert.deepEqual(broken, []);
  assert.ok(files.includes(manifest.bin.dropslot));
  const entry = manifest.exports['.'];
  for (const file of [entry.types, entry.default]) assert.ok(files.includes(normalize(file)), file);
  const others = files.filter(
    (file) =>
      !/\.(js|md|png)$|^dist\/man\/|^packaging\//.test(file) &&
      !['docs/alerts.yml', 'docs/grafana.json', ...plots].includes(file),
  );
  assert.deepEqual(others.sort(), [
    'LICENSE',
    normalize(entry.types),
    'dist/build.json',
    'dist/libraries/LICENSES.txt',
    'examples/embedded/package.json',
    'examples/pkcs11/unwrap-master-key.sh',
    'examples/three-nodes/dropslot.json',
    'examples/three-nodes/dropslot.store.json',
    'examples/three-nodes/haproxy.cfg',
    'package.json',
  ]);
  const lacking = manifest.man.filter((page: string) => !files.includes(normalize(page)));
  assert.deepEqual(lacking, [], 'the manual pages of package.json are in the package');
  const needless = files.filter(
    (file) => /^dist\/(?!libraries\/).*\.js$/.test(file) && !existsSync(join(packageRoot, sourceOf(file))),
  );
  assert.deepEqual(needless, [], 'compiled from sources that exist');
});

test('the compiled modules load the libraries of every command from few files, of the installed versions', async () => {
  const built = join(packageRoot, 'dist');
  const modules = globSync('**/*.js', { cwd: built, ignore: ['libraries/**'] });
  assert.ok(modules.length > 100);
  const wrong = modules.filter((file) =>
    /\b(from|import|require)\b\s*\(?\s*'(knex|zod|commander)[/']/.test(readFileSync(join(built, file), 'utf8')),
  );
  assert.deepEqual(wrong, [], 'they import the packages themselves');
  assert.ok(globSync('libraries/*.js', { cwd: built }).length <= 10);
  const licences = readFileSync(join(built, 'libraries/LICENSES.txt'), 'utf8');
  for (const name of ['knex', 'lodash', 'tarn', 'zod', 'commander'])
    assert.match(licences, new RegExp(`^${name} [\\d.]+\\n\\n[^]*?copyright`, 'im'), name);
  for (const name of ['knex', 'zod', 'commander'])
    assert.match(manifest.dependencies[name], /^\d/, 'npm installs, and audits, the version that the files are of');
  const [own, packaged] = await Promise.all([import(join(built, 'libraries/zod.js')), import('zod')]);
  assert.deepEqual(own.core.version, packaged.core.version);
  const names = Object.keys(packaged).filter((name) => name !== 'default');
  assert.deepEqual(Object.keys(own).sort(), names.sort());
});

function sourceOf(file: string): string {
  return file.replace(/^dist\//, '').replace(/\.js$/, '.ts');
}

test('the package, installed beside its production dependencies alone, runs', (context) => {
  const folder = temporaryFolder(context);
  const { command } = installPackage(folder);
  const dropslot = (option: string) => execFileSync(command, [option], { cwd: folder, encoding: 'utf8' });
  const versions = `dropslot ${manifest.version} (build `;
  assert.ok(dropslot('--version').startsWith(versions), 'it tells version and build');
  assert.match(dropslot('--version'), /Node\.js v\d+\.\d+\.\d+, /);
  assert.match(dropslot('--help'), /^Usage: dropslot /m);
});
