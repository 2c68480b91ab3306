/** Plans the columns of a file: each is a standard value, a known custom field or a new one (rules F8, U14, C1–C4). */
import { randomBytes } from 'node:crypto';
import type { DateFormat, Org } from '../../db/control/orgs.js';
import type { Field, FieldType } from '../../db/directory/fields.js';
import { makeIssue } from '../codes.js';
import type { Issue } from '../types.js';
import type { ColumnFacts, Survey } from './columnsurvey.js';
import { type DateOrder, decideOrder } from './dates.js';
import { countShown } from './fieldlimit.js';
import { findOutlier, fitsAll, inferType } from './fieldtype.js';
import type { Header } from './header.js';
import { type TeamColumn, teamLabels, type UserColumn, userLabels } from './labels.js';
import { collapse, labelKey } from './normalize.js';
import type { TeamName } from './teamlist.js';
import { type ValueRules, valueRulesOf } from './valuerules.js';

export interface PlacedColumn {
  index: number;
  label: string;
}

/** A column of a file that fills a custom field. */
export interface FieldColumn extends PlacedColumn {
  field: Field;
  /** Of the dates in the column. */
  order: DateOrder;
}

export interface ColumnPlan {
  /** Index of each standard column that the file has. */
  standard: ReadonlyMap<string, number>;
  /** The label that the file has for each of them: an alias of the organization, or another spelling. */
  labels: ReadonlyMap<string, string>;
  deactivationOrder: DateOrder;
  /** The column that exports write, and that imports read where the organization has words for it; null: the file has none. */
  status: PlacedColumn | null;
  fields: FieldColumn[];
  /** Fields that the file creates. */
  newFields: Field[];
  /** Old names of renamed teams, by their compared forms. */
  teamAliases: ReadonlyMap<string, TeamName>;
  /** The one of `fields` that is the organization's identifier (rule U15); null: the file has no column for it. */
  identifier: FieldColumn | null;
  /** The one of `fields` that has the identifiers of managers (rule U8b); null: the file has no column for it. */
  managerIdentifier: FieldColumn | null;
  /** New columns that have null words and no value: they make no field yet. */
  valueless: PlacedColumn[];
  rules: ValueRules;
  warnings: Issue[];
}

/** The plan of no column at all. */
export function noColumns(options: Org['options']): ColumnPlan {
  return {
    standard: new Map(),
    labels: new Map(),
    deactivationOrder: 'ambiguous',
    status: null,
    fields: [],
    newFields: [],
    teamAliases: new Map(),
    identifier: null,
    managerIdentifier: null,
    valueless: [],
    rules: valueRulesOf(options),
    warnings: [],
  };
}

/**
 * @param known the organization's fields, and those that earlier files of the run create.
 * @param mostFields the limit of the organization's visible fields; its identifier is created past it too.
 */
export function planColumns(
  header: Header,
  { facts }: Survey,
  known: readonly Field[],
  { dateFormat: format, options }: Pick<Org, 'dateFormat' | 'options'>,
  now: number,
  mostFields: number,
): ColumnPlan {
  const { identifier } = options;
  const status = header.columns.find(({ meaning }) => meaning.kind === 'status');
  const plan: ColumnPlan = {
    ...noColumns(options),
    status: status === undefined ? null : { index: status.index, label: status.label },
  };
  const standard = new Map<string, number>();
  const labels = new Map<string, string>();
  const byKey = new Map(known.flatMap((field) => field.aliases.map((alias) => [alias, field] as const)));
  for (const field of known) byKey.set(labelKey(field.label), field);
  // A renamed field is found by its old labels too.
  const isColumn = (label: string, setting: string | undefined) =>
    setting !== undefined &&
    (byKey.get(labelKey(label)) ?? labelKey(label)) === (byKey.get(labelKey(setting)) ?? labelKey(setting));
  for (const { index, label, meaning } of header.columns) {
    const seen = facts[index]!;
    if (meaning.kind === 'standard') {
      standard.set(meaning.column, index);
      labels.set(meaning.column, label);
      if (meaning.column === 'deactivationDate') plan.deactivationOrder = decideOrder(format, seen.dates);
    } else if (meaning.kind === 'blank' && seen.values > 0) {
      plan.warnings.push(makeIssue('label_blank', { line: header.line }, { number: index + 1 }));
    } else if (meaning.kind === 'custom') {
      const isIdentifier = isColumn(label, identifier);
      const isManager = identifier !== undefined && isColumn(label, options.managerIdentifier);
      const type = isIdentifier || isManager ? 'text' : inferType(seen, format);
      const position = known.length + plan.newFields.length;
      const hasRoom = isIdentifier || countShown(known) + plan.newFields.length < mostFields;
      const found = byKey.get(labelKey(label));
      if (found === undefined && !hasRoom && seen.values > 0) {
        const where = { line: header.line, column: label };
        plan.warnings.push(makeIssue('too_many_fields', where, { label, limit: mostFields }));
        continue;
      }
      const field = found ?? createField(label, header.line, seen, type, format, position, now, plan);
      if (field === null) {
        if (seen.hasNulls) plan.valueless.push({ index, label });
        continue;
      }
      const same = plan.fields.find((column) => column.field.id === field.id);
      if (same !== undefined) {
        plan.warnings.push(
          makeIssue('field_twice', { line: header.line, column: label }, { label, other: same.label }),
        );
        continue;
      }
      plan.fields.push({ index, label, field, order: decideOrder(format, seen.dates) });
      if (isIdentifier) plan.identifier = plan.fields.at(-1)!;
      if (isManager) plan.managerIdentifier = plan.fields.at(-1)!;
    }
  }
  const managerName = labels.get('managerName');
  if (managerName !== undefined && !standard.has('managerEmail') && plan.managerIdentifier === null) {
    const where = { line: header.line, column: managerName };
    plan.warnings.push(makeIssue('manager_alone', where, { label: managerName }));
  }
  if (header.type === 'users' && identifier !== undefined && plan.identifier === null)
    plan.warnings.push(
      makeIssue('identifier_absent', { line: header.line, column: identifier }, { label: identifier }),
    );
  return { ...plan, standard, labels };
}

/** The label that the file has for a standard column, for reports; the standard label where it has none. */
export function labelOf({ labels }: Pick<ColumnPlan, 'labels'>, column: UserColumn | TeamColumn): string {
  return labels.get(column) ?? { ...userLabels, ...teamLabels }[column];
}

/** null: the column has no values yet, from which its type could be inferred. */
function createField(
  label: string,
  line: number,
  facts: ColumnFacts,
  type: FieldType,
  format: DateFormat,
  position: number,
  now: number,
  plan: ColumnPlan,
): Field | null {
  if (facts.values === 0) return null;
  if (type === 'text' && fitsAll(facts.plainDates) && decideOrder(format, facts.dates) === 'ambiguous')
    plan.warnings.push(makeIssue('field_ambiguous', { line, column: label }, { label }));
  const outlier = type === 'text' ? findOutlier(facts) : null;
  if (outlier !== null) {
    const { kind, misfit, more } = outlier;
    plan.warnings.push(makeIssue('field_text', { ...misfit, column: label }, { label, kind, more }));
  }
  const field: Field = {
    id: `f${randomBytes(6).toString('hex')}`,
    label: collapse(label),
    type,
    position,
    createdAt: now,
    hidden: false,
    aliases: [],
  };
  plan.newFields.push(field);
  return field;
}
