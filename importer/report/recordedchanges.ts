/** Lists the changes that a run made, from the record (rule R3), in the order in which its plan was shown. */

import type { Queryable } from '../../db/connection.js';
import { dialectOf } from '../../db/dialect.js';
import { listFields } from '../../db/directory/fields.js';
import { lastRank, type Place, rankOfChange, type ShownChange, valuesByLabel } from './changeorder.js';

const pageRows = 5000;

export async function countRecorded(db: Queryable, org: string, runId: number): Promise<number> {
  const row = await db('changes').where({ org_id: org, run_id: runId }).count({ count: '*' }).first();
  return Number(row?.count ?? 0);
}

/** Users and teams under the names that they have now. @param from only changes after this place; null: all */
export async function* listRecorded(
  db: Queryable,
  org: string,
  runId: number,
  most: number,
  from: Place | null = null,
): AsyncGenerator<ShownChange[]> {
  const labels = new Map((await listFields(db, org)).map(({ id, label }) => [id, label]));
  const json = dialectOf(db) === 'postgres' ? 'CAST(c.after AS jsonb)' : 'c.after';
  const rank = rankOfChange(`${json}->>'Is Org Admin' = 'Yes'`);
  let left = most;
  for (let at = from?.rank ?? 0; at <= lastRank; at++) {
    for (let after = at === from?.rank ? from.id : 0; left > 0; ) {
      const page: RecordedRow[] = await db('changes as c')
        .where({ 'c.org_id': org, 'c.run_id': runId })
        .where('c.id', '>', after)
        .whereRaw(`${rank} = ?`, at)
        .orderBy('c.id')
        .limit(Math.min(left, pageRows))
        .select('c.*');
      if (page.length === 0) break;
      const names = await readNames(db, page);
      yield page.map((row) => ({ ...toChange(row, names, labels), place: { rank: at, id: row.id } }));
      left -= page.length;
      after = page.at(-1)!.id;
    }
  }
}

interface RecordedRow {
  id: number;
  upload_id: number | null;
  line: number | null;
  entity: ShownChange['entity'];
  entity_id: string;
  field: string;
  before: string | null;
  after: string | null;
}

const named = [
  { entity: 'user', table: 'users', name: 'email', toId: Number },
  { entity: 'team', table: 'teams', name: 'name', toId: Number },
  { entity: 'field', table: 'fields', name: 'label', toId: String },
] as const;

/** By entity and id. */
async function readNames(db: Queryable, page: readonly RecordedRow[]): Promise<Map<string, string>> {
  const names = new Map<string, string>();
  for (const { entity, table, name, toId } of named) {
    const ids = new Set(page.filter((row) => row.entity === entity).map((row) => toId(row.entity_id)));
    if (ids.size === 0) continue;
    const rows: { id: string | number; name: string }[] = await db(table)
      .whereIn('id', [...ids])
      .select('id', { name });
    for (const row of rows) names.set(`${entity} ${row.id}`, row.name);
  }
  return names;
}

function toChange(
  row: RecordedRow,
  names: ReadonlyMap<string, string>,
  labels: ReadonlyMap<string, string>,
): ShownChange {
  const { upload_id: source, line, entity, entity_id, field, before } = row;
  const name = names.get(`${entity} ${entity_id}`) ?? entity_id;
  const isCreation = field === '';
  const { custom = {}, ...values } = isCreation ? JSON.parse(row.after!) : {};
  return {
    ...{ source, line, entity, name, field, before },
    after: isCreation ? null : row.after,
    values: isCreation ? valuesByLabel(values, custom, labels) : null,
  };
}
