/** The documents against the code: every code that a report may have, and every link. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';
import { codes } from '../importer/codes.js';

test('docs/import-rules.md lists every code with its severity and rule, and no other', () => {
  const text = readFileSync('docs/import-rules.md', 'utf8');
  const rows = [...text.matchAll(/^\| `(\w+)` \| (\w+) \| (\w+) \|/gm)].map(([, code, severity, rule]) => [
    code,
    { severity, rule },
  ]);
  const known = Object.entries(codes).map(([code, { severity, rule }]) => [code, { severity, rule }]);
  assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(known));
});

test('every rule that a code names is explained', () => {
  const text = readFileSync('docs/import-rules.md', 'utf8');
  const missing = Object.values(codes).filter(({ rule }) => !text.includes(`**${rule}`));
  assert.deepEqual(missing, []);
});

test('every link between documents leads somewhere', () => {
  const broken: string[] = [];
  for (const file of globSync(['*.md', 'docs/**/*.md', 'bench/*.md'])) {
    for (const [, target] of readFileSync(file, 'utf8').matchAll(/\]\((?!https?:)([^)#]+)/g)) {
      if (!existsSync(join(dirname(file), target!))) broken.push(`${file}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});
