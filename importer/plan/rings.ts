/** Breaks rings of managers and of parent teams: the edge that closes one is dropped (rules U9, T3). */

import { createAs, createIndex, type Finding, isOwnIn, namedLines, type PlanContext, rows, run } from './context.js';
import { findRings, type Ring, type Slopes } from './ringsearch.js';
import type { Stage } from './stage.js';
import { insertRows } from './stagedrows.js';

/** How the edges of one relation (managers, parents) are found and dropped. */
export interface RingRelation {
  /** Edges that the file changes, with what was there before: `key, above, old, line`. */
  changed: string;
  /** For the key `next`: its edge as it will be, as it was, and the line that changes it; joins to `up`. */
  follow(next: string): string;
  /** Takes back the edges of the rows whose lines are in `dropped`. */
  drop: readonly string[];
}

/** The tables and columns of a relation. */
interface RingTables {
  /** Of the stage: what is planned, and what the file says; both have `key` and `above`. */
  planned: string;
  said: string;
  /** The compared form of who is above, there. */
  above: string;
  /** Of the directory, with its compared form and its reference to who is above. */
  table: string;
  key: string;
  reference: string;
}

const isOwn = isOwnIn('p');

/** How the edges of such tables are found and dropped. */
export function ringRelation(
  { prefix: s }: Stage,
  { planned, said, above, table, key, reference }: RingTables,
): RingRelation {
  // A row that only says again what is there changes nothing: whom it is about is not in the plan.
  const isChanged = `r.${above} IS NOT NULL AND p.key IS NOT NULL AND (${isOwn} OR r.${above} IS DISTINCT FROM p.${above})`;
  const old = `CASE WHEN p.key IS NULL THEN m.${key} WHEN ${isOwn} THEN NULL ELSE p.${above} END`;
  return {
    changed: `SELECT r.key, r.${above}, CASE WHEN ${isOwn} THEN NULL ELSE p.${above} END, r.line
      FROM ${s}.${planned} p CROSS JOIN ${s}.${said} r WHERE r.key = p.key AND r.state = 0 AND ${isChanged}`,
    follow: (
      next,
    ) => `COALESCE(r.${above}, ${old}), CASE WHEN ${isChanged} THEN ${old} END, CASE WHEN ${isChanged} THEN r.line END
      FROM up JOIN (SELECT 0 AS old UNION ALL SELECT 1) side ON side.old = 0 OR up.old IS NOT NULL
      LEFT JOIN ${s}.${said} r ON r.key = ${next} AND r.state = 0
      LEFT JOIN ${s}.${planned} p ON p.key = ${next}
      LEFT JOIN ${table} u ON u.org_id = :org AND u.${key} = ${next}
      LEFT JOIN ${table} m ON m.id = u.${reference}`,
    drop: [
      `UPDATE ${s}.${planned} AS p SET ${above} = NULL WHERE ${isOwn}
       AND p.key IN (SELECT r.key FROM ${s}.${said} r CROSS JOIN ${s}.dropped d WHERE r.line = d.line)`,
      `UPDATE ${s}.${said} SET ${above} = NULL WHERE line IN (SELECT line FROM ${s}.dropped)`,
    ],
  };
}

const pageRows = 20_000;
const ringsAtOnce = 500;

/** Yields the edges that were dropped, each with the members of its ring and their lines. */
export async function* dropRings(
  stage: Stage,
  { changed, follow, drop }: RingRelation,
  { org, file }: PlanContext,
): AsyncGenerator<Finding[]> {
  const s = stage.prefix;
  // A dropped edge gives way to the one before it: both may lead to a ring.
  const next = 'CASE side.old WHEN 0 THEN up.above ELSE up.old END';
  await createAs(
    stage,
    'climb',
    `WITH RECURSIVE up(key, above, old, line) AS (${changed} UNION SELECT ${next}, ${follow(next)}
       WHERE ${next} IS NOT NULL)
     SELECT ROW_NUMBER() OVER () AS n, key, above, old, line FROM up`,
    { org, file },
  );
  const slopes = await readSlopes(stage);
  if (slopes === null) return;
  await run(stage, `DROP TABLE IF EXISTS ${s}.dropped`);
  await run(stage, `CREATE TABLE ${s}.dropped (line INTEGER PRIMARY KEY)`);
  let isWhole = true;
  for (const rings of inBatches(findRings(slopes), ringsAtOnce)) {
    isWhole = false;
    const lines = rings.map(({ line }) => [line]);
    await insertRows(stage, 'dropped', ['line INT'], lines);
    yield await describeRings(stage, rings);
  }
  if (isWhole) return;
  for (const statement of drop) await run(stage, statement, { file });
}

/** What the file changes and all above it, as numbers: twelve bytes for each; null: it changes nothing. */
async function readSlopes(stage: Stage): Promise<Slopes | null> {
  const s = stage.prefix;
  const [{ n: count } = { n: 0 }] = await rows<{ n: number }>(stage, `SELECT COUNT(*) AS n FROM ${s}.climb`);
  if (count === 0) return null;
  await createIndex(stage, 'climb', 'n');
  await createIndex(stage, 'climb', 'key');
  const slopes = { above: new Int32Array(count + 1), old: new Int32Array(count + 1), line: new Int32Array(count + 1) };
  for (let from = 0; from < count; from += pageRows) {
    const page = await rows<{ n: number; above: number | null; old: number | null; line: number | null }>(
      stage,
      `SELECT c.n AS n, a.n AS above, o.n AS old, c.line AS line FROM ${s}.climb c
       LEFT JOIN ${s}.climb a ON a.key = c.above LEFT JOIN ${s}.climb o ON o.key = c.old
       WHERE c.n > :from AND c.n <= :to`,
      { from, to: from + pageRows },
    );
    for (const { n, above, old, line } of page) {
      slopes.above[n] = above ?? 0;
      slopes.old[n] = old ?? 0;
      slopes.line[n] = line ?? 0;
    }
  }
  return slopes;
}

async function describeRings(stage: Stage, rings: readonly Ring[]): Promise<Finding[]> {
  const numbers = [...new Set(rings.flatMap(({ members }) => members))];
  const named = await rows<{ n: number; key: string }>(
    stage,
    `SELECT n, key FROM ${stage.prefix}.climb WHERE n IN (${numbers.join(', ')})`,
  );
  const keys = new Map(named.map(({ n, key }) => [n, key]));
  return rings.map(({ line, members, lines }) => ({
    line,
    value: members.map((member) => keys.get(member)).join(' → '),
    others: lines
      .filter((other) => other !== line)
      .sort((a, b) => a - b)
      .slice(0, namedLines),
  }));
}

function* inBatches<T>(values: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const value of values) {
    batch.push(value);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
