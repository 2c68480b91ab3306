/** The types of the package: those of this version are recorded, so that a change of them is a decision. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { replaceTypesOfPage, replaceTypings } from '../../app/embed/typings.js';

const read = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');
const shipped = read('../../app/embed/api.d.ts');

test('the types name every setting and every type of event, and docs/embedding.md has them (else: npm run docs)', () => {
  assert.ok(shipped === replaceTypings(shipped), 'app/embed/api.d.ts differs');
  const page = read('../../docs/embedding.md');
  assert.ok(page === replaceTypesOfPage(page, shipped), 'docs/embedding.md differs');
});

test('the types are the recorded ones', () => {
  const recorded = read('embedding/api.d.ts');
  assert.ok(
    shipped === recorded,
    `the types of the package have changed. Additions need a new minor version, anything else a new major one. Say so in
CHANGELOG.md, and record them: cp app/embed/api.d.ts test/formats/embedding/api.d.ts`,
  );
});

test('the package is built with these types, and exports their two values', async () => {
  assert.ok(read('../../dist/app/embed/api.d.ts') === shipped, 'build it again: npm run build');
  const built = await import(new URL('../../dist/app/embed/dropslot.js', import.meta.url).href);
  const declared = [...shipped.matchAll(/^export (?:function|class) (\w+)/gm)].map(([, name]) => name);
  assert.deepEqual(Object.keys(built).sort(), declared.sort());
});
