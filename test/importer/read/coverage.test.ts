/** Every rule of docs/import-rules.md has tests that name it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { globSync } from 'tinyglobby';

test('each rule of the documents is named by the title of a test', () => {
  const documented = new Set(
    [...readFileSync('docs/import-rules.md', 'utf8').matchAll(/\*\*([FUCTGR]\d{1,2})\b/g)].map(([, rule]) => rule!),
  );
  const named = new Set(
    globSync(['test/**/*.ts']).flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:title:|test\()\s*(['"`])(.*?)\1/g)].flatMap(
        ([, , title]) => title!.match(/\b[FUCTGR]\d{1,2}\b/g) ?? [],
      ),
    ),
  );
  const expected = [11, 16, 4, 4, 2, 3].flatMap((count, kind) =>
    Array.from({ length: count }, (_, n) => `${'FUCTGR'[kind]}${n + 1}`),
  );
  expected.push('F0');
  assert.deepEqual([...documented].sort(), [...expected].sort());
  assert.deepEqual(
    expected.filter((rule) => !named.has(rule)),
    [],
  );
});
