/** What an operator may say about an organization: each field's name, check and meaning. */
import { IANAZone } from 'luxon';
import { limitNames, type Org } from '../db/control/orgs.js';
import { isEmail } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import { isLimitName, type LimitChange, readLimit } from './orglimits.js';
import { isOptionName, type OptionChange, optionNames, readOption } from './orgoptions.js';

export type OrgFields = Partial<
  Pick<Org, 'name' | 'ownerEmail' | 'slot' | 'timeZone' | 'dateFormat' | 'plan' | 'teamsMode'>
> & { limits?: LimitChange; options?: OptionChange };

interface FieldRule {
  /** As the command line spells it; kebab-case is accepted too. */
  name: string;
  field: Exclude<keyof OrgFields, 'limits' | 'options'>;
  /** What it takes, for messages. */
  takes: string;
  isValid(value: string): boolean;
  /** The form in which it is kept; trimmed without it. */
  normalize?(value: string): string;
}

const isText = (value: string) => value.trim() !== '' && value.length <= 200;
const isOneOf =
  (...choices: string[]) =>
  (value: string) =>
    choices.includes(value);

const rules: readonly FieldRule[] = [
  { name: 'name', field: 'name', takes: 'a name of up to 200 characters', isValid: isText },
  { name: 'owner', field: 'ownerEmail', takes: 'an email address', isValid: isEmail },
  {
    name: 'slot',
    field: 'slot',
    takes: 'a time of day as HH:MM, 00:00 to 23:59, or several as 02:00,14:00',
    isValid: (value) => {
      const times = value.split(',');
      return times.length <= 24 && times.every((time) => /^([01]\d|2[0-3]):[0-5]\d$/.test(time.trim()));
    },
    normalize: (value) => [...new Set(value.split(',').map((time) => time.trim()))].sort().join(','),
  },
  {
    name: 'timeZone',
    field: 'timeZone',
    takes: 'an IANA time zone, as Europe/Berlin',
    isValid: (value) => IANAZone.isValidZone(value),
  },
  { name: 'dateFormat', field: 'dateFormat', takes: 'auto, mdy or dmy', isValid: isOneOf('auto', 'mdy', 'dmy') },
  { name: 'plan', field: 'plan', takes: 'a name of up to 200 characters', isValid: isText },
  { name: 'teams', field: 'teamsMode', takes: 'add or replace', isValid: isOneOf('add', 'replace') },
];

/**
 * Checks values by the names of the command line; undefined ones say nothing.
 * @throws OperationError `usage` that lists the names, or says what a value must be.
 */
export function readOrgFields(values: Record<string, string | undefined>): OrgFields {
  const fields: Record<string, string> = {};
  const limits: LimitChange = {};
  const options: OptionChange = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const key = toCamelCase(name);
    if (isLimitName(key)) {
      limits[key] = readLimit(key, value);
      continue;
    }
    if (isOptionName(key)) {
      Object.assign(options, readOption(key, value));
      continue;
    }
    const rule = rules.find((one) => one.name === key);
    if (rule === undefined) {
      const known = [...rules.map((one) => one.name), ...limitNames, ...optionNames].join(', ');
      throw new OperationError('usage', `unknown key "${name}"; known are ${known}`);
    }
    if (!rule.isValid(value)) throw new OperationError('usage', `${rule.name} takes ${rule.takes}, not "${value}"`);
    fields[rule.field] = rule.normalize?.(value) ?? value.trim();
  }
  const groups = Object.entries({ limits, options }).filter(([, group]) => Object.keys(group).length > 0);
  return { ...fields, ...Object.fromEntries(groups) };
}

/** Fields from `slot=03:00`. @throws OperationError `usage` */
export function readAssignments(assignments: readonly string[]): OrgFields {
  return readOrgFields(splitAssignments(assignments));
}

/** Splits `slot=03:00`. @throws OperationError `usage` */
export function splitAssignments(assignments: readonly string[]): Record<string, string> {
  const values: Record<string, string> = {};
  for (const assignment of assignments) {
    const at = assignment.indexOf('=');
    if (at < 1) throw new OperationError('usage', `"${assignment}" is not of the form KEY=VALUE`);
    values[assignment.slice(0, at)] = assignment.slice(at + 1);
  }
  return values;
}

/** The id is the SSH user name, and stands in URLs and file names. @throws OperationError `usage` */
export function checkOrgId(id: string): void {
  if (!/^[a-z0-9][a-z0-9._-]{0,31}$/.test(id))
    throw new OperationError(
      'usage',
      `"${id}" can't be an organization's id: it takes 1 to 32 of a-z, 0-9, dot, dash and underscore, a letter or digit first`,
    );
}

/** What changed, for the audit trail; the owner's address is personal data and stays out of it. */
export function describeChange(before: Org, fields: OrgFields): Record<string, unknown> {
  const changed = Object.entries(fields).filter(([field, value]) => before[field as keyof OrgFields] !== value);
  return Object.fromEntries(
    changed.map(([field, value]) => [
      field,
      field === 'ownerEmail' ? 'changed' : { from: before[field as keyof OrgFields], to: value },
    ]),
  );
}

function toCamelCase(name: string): string {
  return name.replace(/[-_]([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
