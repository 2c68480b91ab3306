/** The table of `orgs set`: every setting of an organization, the parser of `KEY=VALUE`, and the values of one organization. */
import { IANAZone } from 'luxon';
import { findNearest } from '../../config/nearest.js';
import type { Settings } from '../../config/settings.js';
import { isTimeOfDay } from '../../config/timeofday.js';
import type { Org } from '../../db/control/orgs.js';
import { isEmail } from '../../importer/read/normalize.js';
import { splitAssignments } from '../assignments.js';
import { OperationError } from '../error.js';
import { type LimitChange, limitRows } from './limitrows.js';
import { type OptionChange, optionRows } from './optionrows.js';
import { joinChoices, oneOf, readRow, type SettingRow, settingGroups } from './settingrow.js';

type PlainField = 'name' | 'ownerEmail' | 'slot' | 'timeZone' | 'dateFormat' | 'plan' | 'teamsMode';

/** The settings of an organization that an operator may change. */
export type OrgFields = Partial<Pick<Org, PlainField>> & { limits?: LimitChange; options?: OptionChange };

/** Where the value of a setting is kept. */
export type SettingPlace = { field: PlainField } | 'limits' | 'options';

export interface OrgSetting extends Omit<SettingRow<unknown>, 'write'> {
  /** As `orgs set` spells it; kebab-case is accepted too. */
  name: string;
  place: SettingPlace;
  /** Whether `KEY=default` restores the default. */
  takesDefault: boolean;
  write(value: never): string;
}

/** The values of a new organization. */
export const fieldDefaults = {
  plan: 'enterprise',
  slot: '02:00',
  timeZone: 'UTC',
  dateFormat: 'auto',
  teamsMode: 'add',
} as const;

const nameText: Pick<SettingRow<string>, 'group' | 'takes' | 'read' | 'write'> = {
  group: 'Organization',
  takes: ['a name of 1 to 200 characters'],
  read: (text) => (text !== '' && text.length <= 200 ? text : null),
  write: String,
};

/** Fields have a value always; `default` sets it to the default, except in a field that may have that word as its text. */
const fieldRows: Record<string, SettingRow<string> & { field: PlainField }> = {
  name: {
    field: 'name',
    ...nameText,
    meaning: 'Name of the organization, for people.',
    example: 'Acme Corp',
    default: 'the id',
  },
  owner: {
    field: 'ownerEmail',
    group: 'Organization',
    meaning: 'Email of the owner: a user of the organization, who becomes an active admin.',
    takes: ['an email address'],
    example: 'jane@acme.test',
    default: null,
    read: (text) => (isEmail(text) ? text : null),
    write: String,
  },
  plan: {
    field: 'plan',
    ...nameText,
    meaning:
      'Plan of the organization. The server setting sftpPlans names the plans that include SFTP access; a change to or from a plan without it ends the access until it is requested and enabled again.',
    example: 'enterprise',
    default: fieldDefaults.plan,
  },
  slot: {
    field: 'slot',
    group: 'Import schedule',
    meaning: 'Time of day, in the time zone of the organization, at which its files are imported.',
    takes: ['a time of day from 00:00 to 23:59', 'up to 24 of them separated by commas'],
    example: '02:00,14:00',
    default: fieldDefaults.slot,
    read: (text) => {
      const times = text.split(',').map((time) => time.trim());
      return times.length <= 24 && times.every(isTimeOfDay) ? [...new Set(times)].sort().join(',') : null;
    },
    write: String,
  },
  timeZone: {
    field: 'timeZone',
    group: 'Import schedule',
    meaning: 'Time zone of the slot, of deactivation dates, and of all other times of the organization.',
    takes: ['an IANA time zone'],
    example: 'Europe/Berlin',
    default: fieldDefaults.timeZone,
    read: (text) => (IANAZone.isValidZone(text) ? text : null),
    write: String,
  },
  dateFormat: {
    field: 'dateFormat',
    group: 'Reading files',
    meaning:
      'Order of day and month in dates such as 03/04/2027: mdy is month first, dmy is day first. With auto the order is derived from the other dates of the column.',
    ...oneOf('auto', 'mdy', 'dmy'),
    example: 'dmy',
    default: fieldDefaults.dateFormat,
  },
  teams: {
    field: 'teamsMode',
    group: 'Reading files',
    meaning:
      'Effect of the Teams column of a users file: with add the user joins the teams in it, with replace the user also leaves all other teams.',
    ...oneOf('add', 'replace'),
    default: fieldDefaults.teamsMode,
  },
};

/** Every setting, in the order of the groups. */
export const orgSettings: readonly OrgSetting[] = inOrder([
  ...Object.entries(fieldRows).map(([name, { field, ...row }]) => toSetting(name, row, { field })),
  ...Object.entries(optionRows).map(([name, row]) => toSetting(name, row as SettingRow<never>, 'options')),
  ...Object.entries(limitRows).map(([name, row]) => toSetting(name, row, 'limits')),
]);

function inOrder(settings: readonly OrgSetting[]): OrgSetting[] {
  return settingGroups.flatMap((group) => settings.filter((setting) => setting.group === group));
}

function toSetting<Value>(name: string, row: SettingRow<Value>, place: SettingPlace): OrgSetting {
  return { ...row, name, place, takesDefault: typeof place !== 'object' || row.group !== 'Organization' };
}

/** The accepted values in words: `a size such as 500MB (bytes)`. */
export function describeTakes({ takes, unit }: OrgSetting, ...more: string[]): string {
  const withUnit = takes.map((one, index) =>
    unit !== undefined && index === takes.length - 1 ? `${one} (${unit})` : one,
  );
  return joinChoices([...withUnit, ...more]);
}

/** The settings that have no default, or take `default` as their text: `name, owner and plan`. */
export function listWithoutDefault(settings = orgSettings): string {
  const names = settings.filter((setting) => !setting.takesDefault).map(({ name }) => name);
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/**
 * Checks values by the names of the settings; undefined ones are left out.
 * @throws OperationError `usage` that names the nearest known setting, or the values that a setting takes.
 */
export function readOrgFields(values: Record<string, string | undefined>, settings = orgSettings): OrgFields {
  const fields: Record<string, unknown> = {};
  for (const [given, text] of Object.entries(values)) {
    if (text === undefined) continue;
    const setting = findSetting(given, settings);
    const { name, place } = setting;
    const value = readValue(setting, text);
    if (typeof place !== 'object') fields[place] = { ...(fields[place] as object | undefined), [name]: value };
    else fields[place.field] = value ?? setting.read(String(setting.default));
  }
  return fields;
}

/** null: the default. @throws OperationError `usage` */
function readValue(setting: OrgSetting, text: string): unknown {
  if (!setting.takesDefault) return readRow(setting.name, setting as SettingRow<unknown>, describeTakes(setting), text);
  if (text.trim() === 'default') return null;
  return readRow(setting.name, setting as SettingRow<unknown>, describeTakes(setting, 'default'), text);
}

/** `date-format` and `dateFormat` are one name. */
export function toSettingName(given: string): string {
  return given.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** @throws OperationError `usage` */
function findSetting(given: string, settings: readonly OrgSetting[]): OrgSetting {
  const name = toSettingName(given);
  const found = settings.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = settings.map((one) => one.name);
  const near = findNearest(given, names);
  const hint =
    near === null
      ? `the settings are ${names.join(', ')}`
      : `did you mean ${near}? "dropslot orgs set --help" lists all settings`;
  throw new OperationError('usage', `unknown setting "${given}"; ${hint}`);
}

/** Fields from `slot=03:00`. @throws OperationError `usage` */
export function readAssignments(assignments: readonly string[]): OrgFields {
  return readOrgFields(splitAssignments(assignments));
}

export interface SettingValue {
  setting: OrgSetting;
  /** The value in force, as `orgs set` takes it; the words of the default where it is no value. */
  text: string;
  isDefault: boolean;
}

/** The value of each setting of an organization, in the order of the table. */
export function listSettings(org: Org, server: Settings, settings = orgSettings): SettingValue[] {
  return settings.map((setting) => {
    const { place, name } = setting;
    const values = (typeof place === 'object' ? org : org[place]) as Record<string, unknown>;
    const value = values[typeof place === 'object' ? place.field : name];
    const isDefault = value === undefined;
    return { setting, isDefault, text: isDefault ? describeDefault(setting, server) : setting.write(value as never) };
  });
}

function describeDefault(setting: OrgSetting, server: Settings): string {
  if (setting.default === null || typeof setting.default === 'string') return setting.default ?? '';
  const value = server[setting.default.setting];
  return value === undefined ? 'none' : setting.write(value as never);
}

/** The id is the SSH user name, and part of URLs and file names. @throws OperationError `usage` */
export function checkOrgId(id: string): void {
  if (!/^[a-z0-9][a-z0-9._-]{0,31}$/.test(id))
    throw new OperationError(
      'usage',
      `"${id}" can't be an organization's id: use 1 to 32 of the characters a-z, 0-9, dot, dash and underscore, and begin with a letter or a digit`,
    );
}

/** The changed fields for the audit trail, which must not contain the owner's address: it is personal data. */
export function describeChange(before: Org, fields: OrgFields): Record<string, unknown> {
  const changed = Object.entries(fields).filter(([field, value]) => before[field as keyof OrgFields] !== value);
  return Object.fromEntries(
    changed.map(([field, value]) => [
      field,
      field === 'ownerEmail' ? 'changed' : { from: before[field as keyof OrgFields], to: value },
    ]),
  );
}
