/** Plans the custom fields that a users file creates (rule C1). */
import { insertRows } from '../../db/stagesql.js';
import { labelKey } from '../read/normalize.js';
import type { PlanInput, StagedFile } from './input.js';

const columns = [
  'id TEXT',
  'label TEXT',
  'label_key TEXT',
  'type TEXT',
  'position INT',
  'created_at BIGINT',
  'file INT',
];

/** Writes them into the stage, and adds them to the fields that later files of the run find. */
export async function planFields(input: PlanInput, { file, columns: { newFields } }: StagedFile): Promise<void> {
  const rows = newFields.map(({ id, label, type, position, createdAt }) => [
    ...[id, label, labelKey(label), type, position, createdAt, file],
  ]);
  await insertRows(input.stage, 'fields', columns, rows);
  input.fields.push(...newFields);
}
