/** docs/settings.md says what the schema says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderSettingsReference } from '../../config/reference.js';
import { settingsSchema } from '../../config/settings.js';

test('docs/settings.md is up to date (else: npm run docs)', () => {
  assert.equal(readFileSync('docs/settings.md', 'utf8'), renderSettingsReference());
});

test('every setting has a meaning, the values it takes, and a default that it takes itself', () => {
  const rows = renderSettingsReference().matchAll(
    /^\| `(\w+)` \| `\w+` \| ([^|]+) \| (?:`([^`]+)`|–) \| [A-Z`].*\. \|$/gm,
  );
  const found = new Map([...rows].map(([, name, takes, standard]) => [name, { takes, standard }]));
  for (const [name, schema] of Object.entries(settingsSchema.shape)) {
    const row = found.get(name);
    assert.ok(row !== undefined && row.takes !== 'undefined', name);
    if (row.standard !== undefined) assert.deepEqual(schema.parse(row.standard), schema.parse(undefined), name);
  }
});
