/** The rooms of docs/architecture.md: which folder may import from which, and that no file imports itself on a detour. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';

const mayImport: Record<string, readonly string[]> = {
  config: [],
  db: ['config'],
  keys: ['config', 'db'],
  storage: ['config', 'db', 'keys'],
  intake: ['config', 'db', 'keys', 'storage'],
  server: ['config', 'db', 'keys', 'storage', 'intake'],
  sources: ['config', 'db', 'keys', 'storage', 'intake'],
  importer: ['config', 'db', 'keys', 'storage'],
  events: ['config', 'db', 'keys'],
  operations: ['config', 'db', 'keys', 'storage', 'intake', 'server', 'sources', 'importer', 'events'],
  cli: ['operations'],
  web: ['config', 'operations'],
  app: [
    'config',
    'db',
    'keys',
    'storage',
    'intake',
    'server',
    'sources',
    'importer',
    'events',
    'operations',
    'cli',
    'web',
  ],
};

const rooms = Object.keys(mayImport);
/** Folders with TypeScript in them that the product does not consist of. */
const beside = ['bench', 'demo', 'test'];

const files = globSync(rooms.map((room) => `${room}/**/*.ts`));
const roomOf = (file: string) => file.split('/')[0]!;

function importsOf(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

/** The files of ours that a file imports. */
function neighboursOf(file: string): string[] {
  return importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => normalize(join(dirname(file), name.replace(/\.js$/, '.ts'))));
}

test('every folder imports only from the rooms below it', () => {
  assert.ok(files.length > 10);
  const wrong: string[] = [];
  for (const file of files) {
    const room = roomOf(file);
    for (const neighbour of neighboursOf(file)) {
      const target = roomOf(neighbour);
      if (target !== room && !mayImport[room]!.includes(target)) wrong.push(`${file} imports ${target}/`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('importer/read knows nothing of the plan', () => {
  const wrong = files.filter(
    (file) => file.startsWith('importer/read/') && neighboursOf(file).some((name) => name.startsWith('importer/plan/')),
  );
  assert.deepEqual(wrong, []);
});

/** A file that imports more does the work of several. */
const mostImportsOfPlan = 12;

test(`no file of importer/plan imports more than ${mostImportsOfPlan} others`, () => {
  const plan = files.filter((file) => file.startsWith('importer/plan/'));
  assert.ok(plan.length > 10);
  const wrong = plan
    .map((file) => ({ file, imports: new Set(neighboursOf(file)).size }))
    .filter(({ imports }) => imports > mostImportsOfPlan);
  assert.deepEqual(wrong, []);
});

test('no file imports itself by way of others, types included', () => {
  assert.deepEqual(findCycles(new Map(files.map((file) => [file, neighboursOf(file)]))), []);
});

test('a cycle of files is found, whatever else they import', () => {
  const graph = new Map([
    ['a', ['b', 'e']],
    ['b', ['c']],
    ['c', ['d', 'b']],
    ['d', ['a']],
    ['e', ['f']],
    ['f', []],
    ['g', ['g', 'a']],
  ]);
  assert.deepEqual(findCycles(graph), [['a', 'b', 'c', 'd'], ['g']]);
});

/** The files that reach each other by imports, a list for each such group. */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const reachable = new Map([...graph.keys()].map((file) => [file, reach(graph, file)]));
  const found = new Map<string, string[]>();
  for (const [file, others] of reachable) {
    if (!others.has(file)) continue;
    const cycle = [...others].filter((other) => reachable.get(other)?.has(file)).sort();
    found.set(cycle.join(), cycle);
  }
  return [...found.values()];
}

function reach(graph: ReadonlyMap<string, readonly string[]>, from: string): Set<string> {
  const reached = new Set<string>();
  const waiting = [...(graph.get(from) ?? [])];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file)) continue;
    reached.add(file);
    waiting.push(...(graph.get(file) ?? []));
  }
  return reached;
}

test('every room is compiled, built and tested; there is no other folder with sources', () => {
  const include = (file: string) => (JSON.parse(readFileSync(file, 'utf8')) as { include: string[] }).include;
  const inOrder = (names: readonly string[]) => [...names].sort();
  assert.deepEqual(inOrder(include('tsconfig.build.json')), inOrder(rooms));
  assert.deepEqual(inOrder(include('tsconfig.json')), inOrder([...rooms, ...beside]));
  const found = globSync(['*/**/*.ts', '!node_modules', '!dist', '!scripts']).map(roomOf);
  assert.deepEqual(inOrder([...new Set(found)]), inOrder([...rooms, ...beside]));
  assert.match(readFileSync('scripts/mirror.mjs', 'utf8'), /tsconfig\.json/);
});

test('only db/ knows knex and the drivers, only config/ reads the environment', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const driver = importsOf(file).find((name) => ['knex', 'sqlite3', 'better-sqlite3', 'pg'].includes(name));
    if (driver !== undefined && roomOf(file) !== 'db') wrong.push(`${file} imports ${driver}`);
    if (/process\.env/.test(readFileSync(file, 'utf8')) && roomOf(file) !== 'config')
      wrong.push(`${file} reads process.env`);
  }
  assert.deepEqual(wrong, []);
});

test('every import names a file that exists', () => {
  const missing = files.flatMap((file) => neighboursOf(file).filter((target) => !existsSync(target)));
  assert.deepEqual(missing, []);
});

/** What a command loads before it does anything: imports that are no types, and no calls of import(). */
function loadedFor(files: readonly string[]): Set<string> {
  const graph = new Map<string, string[]>();
  const waiting = [...files];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (graph.has(file)) continue;
    const source = readFileSync(file, 'utf8');
    const targets = [...source.matchAll(/^(?:import|export) (?!type )([^;']*)'(\.[^']+)\.js';/gm)]
      .filter(([, names]) => !/^\{(\s*type \w+,?)+\s*\} from $/.test(names!))
      .map(([, , name]) => normalize(join(dirname(file!), `${name}.ts`)));
    graph.set(file, targets);
    waiting.push(...targets);
  }
  return new Set(graph.keys());
}

const slow = [
  'importer/run/worker.ts',
  'importer/run/rejection.ts',
  'importer/check/check.ts',
  'importer/check/heldplan.ts',
  'storage/space.ts',
  'storage/s3/',
  'db/postgres/client.ts',
  'keys/host/hostkeys.ts',
  'config/logger.ts',
];

for (const command of ['keys', 'queue', 'status', 'runs', 'files', 'orgs'])
  test(`dropslot ${command} loads the importer, object stores and host keys only when it uses them`, () => {
    const loaded = loadedFor(['app/command.ts', 'app/compose.ts', `cli/commands/${command}.ts`]);
    assert.ok(loaded.size > 80);
    const isSlow = (file: string) => slow.some((part) => file.startsWith(part));
    assert.deepEqual([...loaded].filter(isSlow), []);
  });

test('private members are #named', () => {
  // There is no # form of constructors, nor of methods that a subclass overrides.
  const keyword = /^[^/*'"`\n]*\bprivate (?!constructor\b)\w/m;
  const wrong = [...files, ...globSync(beside.map((folder) => `${folder}/**/*.ts`))].filter((file) =>
    keyword.test(readFileSync(file, 'utf8')),
  );
  assert.deepEqual(wrong, []);
});
