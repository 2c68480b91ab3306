/** The rooms of docs/architecture.md: which folder may import from which. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';

const mayImport: Record<string, readonly string[]> = {
  config: [],
  db: ['config'],
  keys: ['config', 'db'],
  storage: ['config', 'db', 'keys'],
  intake: ['config', 'db', 'keys', 'storage'],
  server: ['config', 'db', 'keys', 'storage', 'intake'],
  importer: ['config', 'db', 'keys', 'storage'],
  admin: ['config', 'db', 'keys', 'storage', 'intake', 'server', 'importer'],
};

const files = globSync('src/**/*.ts');

function importsOf(file: string): string[] {
  const source = readFileSync(file, 'utf8');
  return [...source.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

test('every folder imports only from the rooms below it', () => {
  assert.ok(files.length > 10);
  const wrong: string[] = [];
  for (const file of files) {
    const room = relative('src', file).split('/')[0]!;
    assert.ok(room in mayImport, `${file}: unknown room`);
    for (const specifier of importsOf(file).filter((name) => name.startsWith('.'))) {
      const target = relative('src', join(dirname(file), specifier)).split('/')[0]!;
      if (target !== room && !mayImport[room]!.includes(target)) wrong.push(`${file} imports ${target}/`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('only db/ knows knex and the drivers, only config/ reads the environment', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const room = relative('src', file).split('/')[0]!;
    const driver = importsOf(file).find((name) => ['knex', 'sqlite3', 'pg'].includes(name));
    if (driver !== undefined && room !== 'db') wrong.push(`${file} imports ${driver}`);
    if (/process\.env/.test(readFileSync(file, 'utf8')) && room !== 'config') wrong.push(`${file} reads process.env`);
  }
  assert.deepEqual(wrong, []);
});
