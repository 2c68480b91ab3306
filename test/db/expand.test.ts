/**
 * Migrations only add to the schema that the oldest node beside this version knows: test/formats/schema has it, as it was when its
 * level began. Its file is written anew only with a migration that raises the level.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Db } from '../../db/connection.js';
import { schemaLevel } from '../../db/migrations/level.js';
import { openFresh } from '../support/databases.js';

interface Column {
  type: string;
  isRequired: boolean;
  hasDefault: boolean;
}

type Schema = Record<string, Record<string, Column>>;

async function readSchema({ read }: Db): Promise<Schema> {
  const tables: { name: string }[] = await read.raw(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'knex_%' ORDER BY name",
  );
  const schema: Schema = {};
  for (const { name } of tables) {
    const columns: { name: string; type: string; notnull: number; dflt_value: unknown; pk: number }[] = await read.raw(
      `PRAGMA table_info("${name}")`,
    );
    schema[name] = Object.fromEntries(
      columns.map((column) => [
        column.name,
        {
          type: column.type,
          isRequired: column.notnull === 1,
          hasDefault: column.dflt_value !== null || column.pk > 0,
        },
      ]),
    );
  }
  return schema;
}

for (const which of ['control', 'directory'] as const)
  test(`the ${which} database has all that nodes of its level write and read, and wants no more of them`, async (t) => {
    const present = await readSchema((await openFresh(t, 'sqlite'))[which]);
    const file = join(import.meta.dirname, `../formats/schema/${which}-${schemaLevel}.json`);
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as Schema;
    for (const [table, columns] of Object.entries(recorded)) {
      for (const [name, { type, isRequired }] of Object.entries(columns)) {
        const now = present[table]?.[name];
        assert.ok(now !== undefined, `${table}.${name} is gone: older nodes use it`);
        assert.equal(now.type, type, `the type of ${table}.${name}`);
        assert.ok(isRequired || !now.isRequired, `${table}.${name} may not be null any more: older nodes write null`);
      }
      for (const [name, { isRequired, hasDefault }] of Object.entries(present[table]!))
        assert.ok(
          name in columns || !isRequired || hasDefault,
          `${table}.${name} needs a default: older nodes do not write it`,
        );
    }
  });
