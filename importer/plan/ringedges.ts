/** Reads the edges that a file changes out of the stage, and drops each edge that closes a ring (rules U9, T3). */
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, insertRows, rows, run } from '../../db/stagesql.js';
import type { PlanContext, RingFinding } from './context.js';
import { type Edges, findRings, hasRing, type Ring } from './ringsearch.js';

/** The SQL that finds and drops the edges of one relation (managers, or parent teams). */
export interface RingRelation {
  /** The table of the plan with the nodes, and its column with the key of the node above. */
  planned: string;
  above: string;
  /** Selects the edges that the file changes: `key, above, old, line`, where `old` is the edge before. */
  changed: string;
  /** Selects the edge of the key `next` as planned, as it was, and the line that changes it; a join to `up`. */
  follow(next: string): string;
  /** Selects the name of a member as written; `c` has its `key`. */
  shown: string;
  /** Statements that take back the edges of the rows whose lines are in `dropped`. */
  drop: readonly string[];
}

const pageRows = 20_000;
const ringsAtOnce = 500;

/** Drops edges until no ring is left, and yields each with the members of its ring and their lines. */
export async function* dropRings(
  stage: Stage,
  { changed, follow, shown, drop, ...plan }: RingRelation,
  { org, file }: PlanContext,
): AsyncGenerator<RingFinding[]> {
  const s = stage.prefix;
  if (await isRingless(stage, plan, file)) return;
  // In place of a dropped edge the one before it counts again: both may close a ring.
  const next = 'CASE side.old WHEN 0 THEN up.above ELSE up.old END';
  await createAs(
    stage,
    'climb',
    `WITH RECURSIVE up(key, above, old, line) AS (${changed} UNION SELECT ${next}, ${follow(next)}
       WHERE ${next} IS NOT NULL)
     SELECT ROW_NUMBER() OVER () AS n, key, above, old, line FROM up`,
    { org, file },
  );
  const edges = await readEdges(stage);
  if (edges === null) return;
  await run(stage, `DROP TABLE IF EXISTS ${s}.dropped`);
  await run(stage, `CREATE TABLE ${s}.dropped (line INTEGER PRIMARY KEY)`);
  let isWhole = true;
  for (const rings of inBatches(findRings(edges), ringsAtOnce)) {
    isWhole = false;
    const lines = rings.map(({ line }) => [line]);
    await insertRows(stage, 'dropped', ['line INT'], lines);
    yield await describeRings(stage, org, shown, rings);
  }
  if (isWhole) return;
  for (const statement of drop) await run(stage, statement, { file });
}

/**
 * Whether the plan has only users or teams that this file creates, and no ring. Those of the directory lead to none that is created, and
 * so are in no ring with one.
 */
async function isRingless(
  stage: Stage,
  { planned, above }: Pick<RingRelation, 'planned' | 'above'>,
  file: number,
): Promise<boolean> {
  const table = `${stage.prefix}.${planned}`;
  const query = `SELECT MAX(n) AS last, MAX(CASE WHEN is_new = 0 OR file <> :file THEN 1 ELSE 0 END) AS others FROM ${table}`;
  const [found] = await rows<{ last: number | null; others: number | null }>(stage, query, { file });
  if (found!.others === 1) return false;
  const last = Number(found!.last ?? 0);
  const leads = new Int32Array(last + 1);
  for (let from = 0; from < last; from += pageRows) {
    // As one text: a row for each edge would cost more than to find it.
    const [page] = await rows<{ edges: string | null }>(
      stage,
      `SELECT string_agg(p.n || ' ' || m.n, ' ') AS edges FROM ${table} p JOIN ${table} m ON m.key = p.${above}
       WHERE p.n > :from AND p.n <= :to`,
      { from, to: from + pageRows },
    );
    const numbers = page!.edges?.split(' ') ?? [];
    for (let at = 0; at < numbers.length; at += 2) leads[Number(numbers[at])] = Number(numbers[at + 1]);
  }
  return !hasRing(leads);
}

/** The changed edges and all edges above them, in 12 bytes each; null: the file changes no edge. */
async function readEdges(stage: Stage): Promise<Edges | null> {
  const s = stage.prefix;
  const [{ n: count } = { n: 0 }] = await rows<{ n: number }>(stage, `SELECT COUNT(*) AS n FROM ${s}.climb`);
  if (count === 0) return null;
  await createIndex(stage, 'climb', 'n');
  await createIndex(stage, 'climb', 'key');
  const edges = { above: new Int32Array(count + 1), old: new Int32Array(count + 1), line: new Int32Array(count + 1) };
  for (let from = 0; from < count; from += pageRows) {
    const page = await rows<{ n: number; above: number | null; old: number | null; line: number | null }>(
      stage,
      `SELECT c.n AS n, a.n AS above, o.n AS old, c.line AS line FROM ${s}.climb c
       LEFT JOIN ${s}.climb a ON a.key = c.above LEFT JOIN ${s}.climb o ON o.key = c.old
       WHERE c.n > :from AND c.n <= :to`,
      { from, to: from + pageRows },
    );
    for (const { n, above, old, line } of page) {
      edges.above[n] = above ?? 0;
      edges.old[n] = old ?? 0;
      edges.line[n] = line ?? 0;
    }
  }
  return edges;
}

async function describeRings(stage: Stage, org: string, shown: string, rings: readonly Ring[]): Promise<RingFinding[]> {
  const numbers = [...new Set(rings.flatMap(({ members }) => members))];
  const named = await rows<{ n: number; name: string }>(
    stage,
    `SELECT c.n AS n, ${shown} AS name FROM ${stage.prefix}.climb c WHERE c.n IN (${numbers.join(', ')})`,
    { org },
  );
  const names = new Map(named.map(({ n, name }) => [n, name]));
  return rings.map(({ line, members, lines, kept, isWhole }) => ({
    line,
    value: members.map((member) => names.get(member)).join(' → '),
    others: lines.filter((other) => other !== line).sort((a, b) => a - b),
    isWhole,
    kept: kept.map((member) => names.get(member)!),
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
