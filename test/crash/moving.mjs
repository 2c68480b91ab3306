/**
 * The built program, which dies at a deed that its environment names: a statement to a database (`sqlite COMMIT`), or the rename of a file
 * (`rename PATH`). CRASH_AT is a regular expression, CRASH_COUNT how many times it fits, CRASH_WHEN `before` or `after`; with CRASH_SINCE,
 * another expression, deeds count from the first that fits it. CRASH_NOTES gets a line for each statement that fills or empties a table, and
 * the last deed.
 */
import { appendFileSync, promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import PostgresClient from '../../dist/libraries/knexpostgres.js';
import SqliteClient from '../../dist/libraries/knexsqlite.js';

const { CRASH_AT: at, CRASH_SINCE: since, CRASH_COUNT: count, CRASH_WHEN: when, CRASH_NOTES: notes } = process.env;
let isArmed = since === undefined;
let left = Number(count ?? 1);

const isFit = (pattern, deed) => pattern !== undefined && new RegExp(pattern).test(deed);

async function watch(deed, work) {
  const isLast = isArmed && isFit(at, deed) && --left === 0;
  if (isLast && when === 'before') die(deed);
  const result = await work();
  if (isFit(since, deed)) isArmed = true;
  return { result, isLast };
}

function die(deed) {
  appendFileSync(notes, `killed ${when} ${deed.slice(0, 80).replaceAll('\n', ' ')}\n`);
  process.kill(process.pid, 'SIGKILL');
  // The signal may come a moment later.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Rows of one statement of a copy. */
function note(dialect, { sql, bindings }, { response, context }) {
  const [, inserted] = /^INSERT INTO "(\w+)" .*(?:json_each|json_populate_recordset)/.exec(sql) ?? [];
  if (inserted !== undefined)
    appendFileSync(notes, `${dialect} insert ${inserted} ${JSON.parse(bindings[0]).length}\n`);
  const [, emptied] = /^delete from .(\w+). where \(?.(?:id|\w+., .\w+).\)? in /.exec(sql) ?? [];
  if (emptied !== undefined)
    appendFileSync(notes, `${dialect} delete ${emptied} ${response?.rowCount ?? context?.changes}\n`);
}

/** knex sends each statement by this method, which its clients of both dialects inherit. */
for (const owner of new Set([SqliteClient, PostgresClient].map(({ prototype }) => ownerOf(prototype)))) {
  const { query } = owner;
  owner.query = async function (connection, asked) {
    const statement = typeof asked === 'string' ? { sql: asked } : asked;
    const dialect = this.dialect === 'postgresql' ? 'postgres' : 'sqlite';
    const deed = `${dialect} ${statement.sql}`;
    const { result, isLast } = await watch(deed, () => query.call(this, connection, asked));
    note(dialect, statement, result);
    if (isLast) die(deed);
    return result;
  };
}

function ownerOf(prototype) {
  return Object.hasOwn(prototype, 'query') ? prototype : ownerOf(Object.getPrototypeOf(prototype));
}

const { rename } = promises;
promises.rename = async (from, to) => {
  const { isLast } = await watch(`rename ${to}`, () => rename(from, to));
  if (isLast) die(`rename ${to}`);
};
syncBuiltinESMExports();

await import('../../dist/app/main.js');
