/** Counts the users whom each file of a group creates and changes. */
import type { Stage } from '../../db/stage.js';
import { rows } from '../../db/stagesql.js';
import { isOwnIn } from './context.js';

type Kind = 'created' | 'updated' | 'deactivated' | 'scheduled';
/** By file. */
export type Counts = Map<number, Partial<Record<Kind, number>>>;

const isOwn = isOwnIn('p').replace(':file', 'p.file');

/** As countUsers, of each of the files. */
export async function countEach(stage: Stage, first: number, last: number): Promise<Counts> {
  const s = stage.prefix;
  const of = (alias: string) => `${alias}.file >= :first AND ${alias}.file <= :last`;
  const own = `${s}.people p WHERE ${of('p')} AND ${isOwn}`;
  const count = (kind: Kind, alias: string, from: string, what = '*') =>
    `SELECT '${kind}' AS kind, ${alias}.file AS file, COUNT(${what}) AS n FROM ${from} GROUP BY ${alias}.file`;
  const sql = [
    count('created', 'p', own),
    count(
      'updated',
      'c',
      `${s}.changes c WHERE ${of('c')} AND c.entity = 'user'
         AND NOT EXISTS (SELECT 1 FROM ${s}.people p WHERE p.key = c.key AND p.file = c.file AND ${isOwn})`,
      'DISTINCT c.key',
    ),
    count('deactivated', 'p', `${own} AND p.status = 'deactivated'`),
    count('deactivated', 'c', `${s}.changes c WHERE ${of('c')} AND c.field = 'Status' AND c.after = 'deactivated'`),
    count('scheduled', 'p', `${own} AND p.deactivate_at IS NOT NULL`),
    count(
      'scheduled',
      'c',
      `${s}.changes c CROSS JOIN ${s}.people p WHERE p.key = c.key AND ${of('c')} AND c.field = 'Deactivation Date'
         AND c.entity = 'user' AND p.deactivate_at IS NOT NULL`,
    ),
  ].join(' UNION ALL ');
  const counts: Counts = new Map();
  for (const { kind, file, n } of await rows<{ kind: Kind; file: number; n: number }>(stage, sql, { first, last })) {
    const own = counts.get(Number(file)) ?? {};
    counts.set(Number(file), { ...own, [kind]: (own[kind] ?? 0) + Number(n) });
  }
  return counts;
}
