/** The custom fields of an organization: list them and change them. Each change is recorded as imports record theirs, and audited. */
import { randomBytes } from 'node:crypto';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import type { Org } from '../db/control/orgs.js';
import { bumpVersion } from '../db/directory/directory.js';
import { changesMark, recordDirectoryEvents } from '../db/directory/events.js';
import {
  countAllValues,
  countValues,
  type Field,
  type FieldType,
  type FieldValue,
  insertField,
  listFields,
  listValues,
  replaceValues,
  updateField,
} from '../db/directory/fields.js';
import { type NewChange, recordChanges } from '../db/directory/history.js';
import { countShown, mostFields } from '../importer/read/fieldlimit.js';
import { convertValue, createOrderDecider } from '../importer/read/fieldvalues.js';
import { exportOnly, userLabels } from '../importer/read/labels.js';
import { collapse, isName, labelKey } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { Field, FieldType, FieldValue } from '../db/directory/fields.js';

export interface CountedField extends Field {
  /** How many users have a value. */
  users: number;
}

export async function listCustomFields(workplace: Workplace, orgId: string): Promise<CountedField[]> {
  const org = await workplace.org(orgId);
  const fields = await listFields(workplace.directory.read, org.id);
  const ids = fields.map(({ id }) => id);
  const counts = await countAllValues(workplace.directory.read, org.id, ids);
  return fields.map((field) => ({ ...field, users: counts.get(field.id) ?? 0 }));
}

/** A field by its label or an old one. @throws OperationError `not_found` */
export async function showField(workplace: Workplace, orgId: string, label: string): Promise<CountedField> {
  const org = await workplace.org(orgId);
  const field = requireField(org, await listFields(workplace.directory.read, org.id), label);
  return countUsers(workplace, org.id, field);
}

/** Takes a look at each user. */
export async function countUsers({ directory }: Workplace, org: string, field: Field): Promise<CountedField> {
  return { ...field, users: await countValues(directory.read, org, field.id) };
}

/** Without the numbers of users, which take a look at each user. @throws OperationError `not_found` */
export async function listFieldsOf(workplace: Workplace, orgId: string): Promise<Field[]> {
  return listFields(workplace.directory.read, (await workplace.org(orgId)).id);
}

/** Later files find the field by its new label and by its old one. @throws OperationError `not_found`, `refused` */
export function renameField(workplace: Workplace, orgId: string, label: string, wanted: string): Promise<Field> {
  return change(workplace, orgId, 'field.renamed', label, async (tx, org, field, fields, at) => {
    const renamed = collapse(wanted);
    requireFree(renamed, fields, field.id);
    const key = labelKey(renamed);
    const aliases = [...new Set([...field.aliases, labelKey(field.label)])].filter((alias) => alias !== key);
    await updateField(tx, field.id, { label: renamed, labelKey: key, aliases });
    await recordChanges(tx, [describe(org, field, 'Label', field.label, renamed, at)]);
    return { from: field.label, to: renamed };
  });
}

/**
 * Leaves a field out of exports and templates, or takes it in again; imports fill it in both cases.
 * @throws OperationError `not_found`; `refused` when exports would have more columns than a file may have.
 */
export function hideField(workplace: Workplace, orgId: string, label: string, hidden: boolean): Promise<Field> {
  const action = hidden ? 'field.hidden' : 'field.shown';
  return change(workplace, orgId, action, label, async (tx, org, field, fields, at) => {
    if (field.hidden === hidden) return null;
    if (!hidden) requireRoom(workplace, fields);
    const say = (is: boolean) => (is ? 'Yes' : 'No');
    await updateField(tx, field.id, { hidden });
    await recordChanges(tx, [describe(org, field, 'Hidden', say(!hidden), say(hidden), at)]);
    return {};
  });
}

export interface Retyping {
  /** Keep values that do not fit the type as they are, instead of refusing. */
  force: boolean;
  /** Change nothing; only report the values that do not fit. */
  isTrial?: boolean;
  /** Gets each value that does not fit. */
  onUnfit?: (value: FieldValue) => void;
}

/**
 * Gives a field another type; values that fit it are written as it writes them.
 * @throws OperationError `not_found`; `refused` when values do not fit and `force` is not set: nothing is changed then.
 */
export function retypeField(
  workplace: Workplace,
  orgId: string,
  label: string,
  type: FieldType,
  { force, isTrial = false, onUnfit }: Retyping,
): Promise<Field> {
  const work: Work = async (tx, org, field, _fields, at) => {
    if (field.type === type) return null;
    const identifier = labelKey(org.options.identifier ?? '');
    if ([labelKey(field.label), ...field.aliases].includes(identifier))
      throw new OperationError('refused', `"${field.label}" is the identifier of ${org.id}, which must be a text`);
    const decider = createOrderDecider(org.dateFormat);
    for await (const page of listValues(tx, org.id, field.id)) for (const { value } of page) decider.add(value);
    const order = decider.decide();
    let unfit = 0;
    let converted = 0;
    for await (const page of listValues(tx, org.id, field.id)) {
      const changed: NewChange[] = [];
      const values: Pick<FieldValue, 'userId' | 'value'>[] = [];
      for (const one of page) {
        const value = convertValue(one.value, type, order);
        if (typeof value !== 'string') {
          unfit++;
          onUnfit?.(one);
        } else if (value !== one.value && !isTrial) {
          values.push({ userId: one.userId, value });
          changed.push({ ...describe(org, field, field.label, one.value, value, at), ...ofUser(one.userId) });
        }
      }
      await replaceValues(tx, field.id, values, at);
      await recordChanges(tx, changed);
      converted += values.length;
    }
    if (isTrial) return null;
    if (unfit > 0 && !force)
      throw new OperationError(
        'refused',
        `${unfit} ${unfit === 1 ? 'value' : 'values'} of "${field.label}" ${unfit === 1 ? 'does' : 'do'} not fit the type ${type}; --show lists them, --force keeps them unchanged`,
      );
    await updateField(tx, field.id, { type });
    await recordChanges(tx, [describe(org, field, 'Type', field.type, type, at)]);
    return { from: field.type, to: type, converted, unfit };
  };
  return change(workplace, orgId, 'field.retyped', label, work, isTrial);
}

/** Makes a field on purpose of a label that a file's check would take for a misspelt one. @throws OperationError `refused` */
export async function confirmField(
  workplace: Workplace,
  orgId: string,
  label: string,
  type: FieldType,
): Promise<Field> {
  const org = await workplace.org(orgId);
  const at = workplace.now();
  const made = collapse(label);
  const field = await workplace.directory.transact(async (tx) => {
    await bumpVersion(tx, org.id);
    const mark = await changesMark(tx);
    const fields = await listFields(tx, org.id);
    requireFree(made, fields, null);
    requireRoom(workplace, fields);
    const id = `f${randomBytes(6).toString('hex')}`;
    const position = Math.max(-1, ...fields.map((one) => one.position)) + 1;
    const created: Field = { id, label: made, type, position, createdAt: at, hidden: false, aliases: [] };
    await insertField(tx, org.id, created, labelKey(made));
    await recordChanges(tx, [describe(org, created, '', null, JSON.stringify({ label: made, type }), at)]);
    await recordDirectoryEvents(tx, org.id, mark, at);
    return created;
  });
  await audit(workplace, org, 'field.confirmed', field, { type });
  return field;
}

type Work = (
  tx: Queryable,
  org: Org,
  field: Field,
  fields: readonly Field[],
  at: number,
) => Promise<Record<string, unknown> | null>;

/**
 * Runs `work` in one transaction that an import's plan can't overtake; null: there was nothing to change.
 * @param isTrial nothing will be: no import has to plan anew, and no export to begin again.
 */
async function change(
  workplace: Workplace,
  orgId: string,
  action: string,
  label: string,
  work: Work,
  isTrial = false,
): Promise<Field> {
  const org = await workplace.org(orgId);
  const { field, detail } = await workplace.directory.transact(async (tx) => {
    if (!isTrial) await bumpVersion(tx, org.id);
    const fields = await listFields(tx, org.id);
    const found = requireField(org, fields, label);
    const at = workplace.now();
    const mark = await changesMark(tx);
    const detail = await work(tx, org, found, fields, at);
    await recordDirectoryEvents(tx, org.id, mark, at);
    return { field: found, detail };
  });
  if (detail !== null) await audit(workplace, org, action, field, detail);
  return (await listFields(workplace.directory.read, org.id)).find(({ id }) => id === field.id)!;
}

/** @throws OperationError `not_found` */
function requireField({ id }: Org, fields: readonly Field[], label: string): Field {
  const found = findField(fields, label);
  if (found === null)
    throw new OperationError('not_found', `${id} has no field "${label}"; see "dropslot fields list ${id}"`);
  return found;
}

/** By its label or an old one, ignoring case and spacing. */
function findField(fields: readonly Field[], label: string): Field | null {
  const key = labelKey(label);
  return (
    fields.find((field) => labelKey(field.label) === key) ?? fields.find(({ aliases }) => aliases.includes(key)) ?? null
  );
}

/** @throws OperationError `refused` when another column already has this label. */
function requireFree(label: string, fields: readonly Field[], own: string | null): void {
  const key = labelKey(label);
  if (key === '' || !isName(label)) throw new OperationError('usage', 'a label must have 1 to 255 characters');
  if ([...Object.values(userLabels), exportOnly].some((standard) => labelKey(standard) === key))
    throw new OperationError('refused', `"${label}" is a standard column`);
  const other = findField(fields, label);
  if (other !== null && other.id !== own)
    throw new OperationError('refused', `"${label}" is the field "${other.label}"`);
}

/** @throws OperationError `refused` when exports would have more columns than a file may. */
function requireRoom({ settings }: Workplace, fields: readonly Field[]): void {
  const most = mostFields(settings);
  if (countShown(fields) >= most)
    throw new OperationError(
      'refused',
      `a file can have ${most} custom fields (maxColumns is ${settings.maxColumns}): hide another field first, or raise maxColumns`,
    );
}

function describe(
  org: Org,
  field: Field,
  what: string,
  before: string | null,
  after: string | null,
  at: number,
): NewChange {
  return { org: org.id, entity: 'field', entityId: field.id, field: what, before, after, at };
}

function ofUser(userId: number): Pick<NewChange, 'entity' | 'entityId'> {
  return { entity: 'user', entityId: String(userId) };
}

function audit(workplace: Workplace, org: Org, action: string, field: Field, detail: Record<string, unknown>) {
  const { actor } = workplace;
  return recordAudit(workplace.control.write, {
    at: workplace.now(),
    org: org.id,
    actor,
    action,
    subject: field.label,
    detail,
  });
}
