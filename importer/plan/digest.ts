/**
 * Computes the digest of a plan: it is equal for two plans that make the same changes. Random values (the ids of new fields) and
 * values that depend on the moment (the time of a deactivation in 24 hours) are left out.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Org } from '../../db/control/orgs.js';
import type { Stage } from '../../db/stage.js';
import { createAs, createIndex, rows } from '../../db/stagesql.js';
import { type GuardLimits, limitsOf } from './guard.js';
import { plannedChanges } from './memberships.js';

const pageRows = 5000;
const dayMs = 86_400_000;

/** The tables of the digest, with their columns and the order of their rows. */
const parts: readonly { table: string; columns: string; order: string; where?: string }[] = [
  { table: 'fields', columns: 'label, type', order: 'label_key' },
  {
    table: 'people',
    columns: `key, email, address, user_name, first_name, last_name, manager_key, account_type, is_admin, status, deactivation_date,
      deactivate_at, custom, file, line`,
    order: 'key',
    where: 'is_new = 1',
  },
  { table: 'people', columns: 'key, address, status, deactivate_at', order: 'key', where: 'is_new = 0' },
  {
    table: 'groups',
    columns: 'key, name, owner_key, parent_key, type, file, line',
    order: 'key',
    where: 'is_new = 1',
  },
  { table: 'absences', columns: 'key, missed', order: 'key' },
  { table: 'joins', columns: 'person_key, team_key, file, line', order: 'person_key, team_key' },
  { table: 'leaves', columns: 'person_key, team_key', order: 'person_key, team_key' },
  {
    table: 'changes',
    columns: 'file, line, entity, key, field, before, after',
    order: 'file, line, entity, key, field, before, after',
  },
];

/**
 * Reads the whole plan: for held runs only. The owner, the active admins and the limits are part of the digest, so that an
 * approval is void when they change. @param now the moment of the plan (ms).
 */
export async function digestPlan(stage: Stage, org: Org, settings: GuardLimits, now: number): Promise<string> {
  const hash = createHash('sha256');
  const admins = await rows<{ id: number }>(
    stage,
    "SELECT id FROM users WHERE org_id = :org AND is_admin = 1 AND status = 'active' ORDER BY id",
    { org: org.id },
  );
  const { createMissing, fieldOwners, clearToken, omission } = org.options;
  const rules = [createMissing ?? 'yes', fieldOwners ?? {}, clearToken ?? null, omission ?? 'keep'];
  hash.update(`${JSON.stringify([org.ownerEmail, admins.map(({ id }) => id), limitsOf(org, settings), rules])}\n`);
  const fields = await rows<{ id: string; label: string }>(stage, `SELECT id, label FROM ${stage.prefix}.fields`);
  const labels = new Map(fields.map(({ id, label }) => [id, label]));
  for (const [place, part] of parts.entries()) {
    hash.update(`${place}\n`);
    await addPart(stage, org.id, part, hash, labels, now + dayMs);
  }
  return hash.digest('hex');
}

async function addPart(
  stage: Stage,
  org: string,
  { table, columns, order, where = '1 = 1' }: (typeof parts)[number],
  hash: Hash,
  labels: ReadonlyMap<string, string>,
  tomorrow: number,
): Promise<void> {
  const source = table === 'changes' ? `(${plannedChanges(stage.prefix)}) c` : `${stage.prefix}.${table}`;
  await createAs(
    stage,
    'ordered',
    `SELECT ROW_NUMBER() OVER (ORDER BY ${order}) AS place, ${columns} FROM ${source} WHERE ${where}`,
    { org },
  );
  await createIndex(stage, 'ordered', 'place');
  for (let from = 0; ; from += pageRows) {
    const page = await rows<Record<string, unknown>>(
      stage,
      `SELECT * FROM ${stage.prefix}.ordered WHERE place > :from AND place <= :to ORDER BY place`,
      { from, to: from + pageRows },
    );
    for (const row of page) hash.update(`${JSON.stringify(normalize(row, labels, tomorrow))}\n`);
    if (page.length < pageRows) return;
  }
}

function normalize(row: Record<string, unknown>, labels: ReadonlyMap<string, string>, tomorrow: number): unknown[] {
  return Object.entries(row).map(([column, value]) => {
    if (column === 'deactivate_at' && value === tomorrow) return 'in a day';
    if (column !== 'custom' || value === null) return value;
    const custom: Record<string, string> = typeof value === 'string' ? JSON.parse(value) : value;
    return Object.entries(custom)
      .map(([id, text]) => [labels.get(id) ?? id, text])
      .sort(([a], [b]) => (a! < b! ? -1 : 1));
  });
}
