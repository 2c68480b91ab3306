/** The names of migrations, by which a database is opened without loading them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { controlMigrations } from '../../db/migrations/control.js';
import { directoryMigrations } from '../../db/migrations/directory.js';
import { controlNames, directoryNames } from '../../db/migrations/names.js';

test('db/migrations/names.ts names each migration, in order', () => {
  const namesOf = (list: readonly { name: string }[]) => list.map(({ name }) => name);
  assert.deepEqual(controlNames, namesOf(controlMigrations), 'add the new migration to db/migrations/names.ts');
  assert.deepEqual(directoryNames, namesOf(directoryMigrations), 'add the new migration to db/migrations/names.ts');
});
