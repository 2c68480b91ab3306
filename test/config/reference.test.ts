/** docs/settings.md says what the schema says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { renderSettingsReference } from '../../config/reference.js';
import { settingsSchema } from '../../config/settings.js';

test('docs/settings.md is up to date (else: npm run docs)', () => {
  assert.equal(readFileSync('docs/settings.md', 'utf8'), renderSettingsReference());
});

test('every setting has a meaning', () => {
  for (const [name, schema] of Object.entries(settingsSchema.shape)) assert.ok(schema.description, name);
});
