// Puts libraries that almost every command loads into a few files in dist/libraries, and has the compiled modules import them from
// there: knex, zod and commander are 500 small files, and to load those takes longer than the work of a short command. They stay
// dependencies, for their licences, the bill of materials and the audit of known vulnerabilities.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build } from 'esbuild';

/** By the names that modules import them by: the file, and its exports. */
const libraries = {
  knex: ['knex', 'export { default } from'],
  'knex/lib/dialects/sqlite3/index.js': ['knexsqlite', 'export { default } from'],
  'knex/lib/dialects/postgres/index.js': ['knexpostgres', 'export { default } from'],
  zod: ['zod', 'export * from'],
  commander: ['commander', 'export * from'],
};

/** The drivers of the databases are imported by modules of ours. */
const drivers = ['pg', 'pg-query-stream', 'sqlite3'];

/** CommonJS modules in an ES module load the modules of Node.js with it. */
const requireBanner = "import { createRequire } from 'node:module';\nconst require = createRequire(import.meta.url);";

/** Of knex the dialects that are used; of zod its messages in English. */
const leanParts = {
  name: 'lean parts',
  setup({ onLoad }) {
    onLoad(
      { filter: /[\\/]knex[\\/]lib[\\/]dialects[\\/](better|cockroach|mssql|mysql|maria|oracle|pgnative|redshift)/ },
      () => ({
        contents: '',
      }),
    );
    onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

/** @param dist the folder of the compiled modules */
export async function gatherLibraries(root, dist) {
  const folder = join(dist, 'libraries');
  rmSync(folder, { recursive: true, force: true });
  const entries = Object.entries(libraries).map(([name, [file, exports]]) => ({
    in: `entry:${file}`,
    out: file,
    contents: `${exports} '${name}';`,
  }));
  const virtual = {
    name: 'entries',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^entry:/ }, ({ path }) => ({ path, namespace: 'entry' }));
      onLoad({ filter: /./, namespace: 'entry' }, ({ path }) => ({
        contents: entries.find((entry) => entry.in === path).contents,
        resolveDir: root,
      }));
    },
  };
  const { metafile } = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: entries.map(({ in: input, out }) => ({ in: input, out })),
    outdir: folder,
    bundle: true,
    splitting: true,
    chunkNames: 'shared-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: drivers,
    plugins: [virtual, leanParts],
    banner: { js: requireBanner },
    logLevel: 'warning',
  });
  writeFileSync(join(folder, 'LICENSES.txt'), gatherLicences(root, Object.keys(metafile.inputs)));
  for (const file of listModules(dist)) redirect(file, folder);
}

/** Those of the packages that the files are of: each asks to be beside every copy. */
function gatherLicences(root, inputs) {
  const folders = inputs.map((file) => /^.*node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(file)?.[0]);
  const packages = [...new Set(folders)].filter((folder) => folder !== undefined).sort();
  const texts = packages.map((folder) => {
    const { name, version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(root, folder)).find((one) => /^licen[cs]e/i.test(one));
    if (file === undefined) throw new Error(`${folder} has no licence`);
    return `${name} ${version}\n\n${readFileSync(join(root, folder, file), 'utf8').trim()}\n`;
  });
  return texts.join(`\n${'-'.repeat(80)}\n\n`);
}

/** A running program that loads the module meanwhile finds the one or the other form, both of which work. */
function redirect(file, folder) {
  const text = readFileSync(file, 'utf8');
  const changed = text.replace(/(?<=\bfrom )'([^'.][^']*)'/g, (whole, name) => {
    const [target] = libraries[name] ?? [];
    if (target === undefined) return whole;
    const path = relative(dirname(file), join(folder, `${target}.js`)).replaceAll('\\', '/');
    return `'${path.startsWith('.') ? path : `./${path}`}'`;
  });
  if (changed !== text) writeFileSync(file, changed);
}

function listModules(dist) {
  return readdirSync(dist, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js') && !/^(libraries|man)\b/.test(name))
    .map((name) => join(dist, name));
}
