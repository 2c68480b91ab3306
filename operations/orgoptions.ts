/** The options of an organization, as an operator says them: one rule for each, by its name on the command line. */
import { readRange } from '../config/network.js';
import type { Encoding, OrgOptions } from '../db/control/importoptions.js';
import { exportOnly, teamLabels, userLabels } from '../importer/read/labels.js';
import { collapse, isName, labelKey } from '../importer/read/normalize.js';
import { readDays } from '../importer/schedule/cadence.js';
import { parseHours } from '../keys/login/hours.js';
import { OperationError } from './error.js';
import { formatBytes } from './format.js';
import { readBytes } from './orglimits.js';

/** null: as if it had never been chosen. */
export type OptionChange = { [name in keyof OrgOptions]?: OrgOptions[name] | null };

interface OptionRule<T> {
  /** What it takes, for messages, after "takes". */
  takes: string;
  /** null: the text can't be a value. */
  read(text: string): T | null;
  /** As `orgs show` and the audit trail say it. */
  describe(value: T): string;
}

const count: OptionRule<number> = {
  takes: 'a number above 0',
  read: (text) => (/^[1-9]\d{0,5}$/.test(text) ? Number(text) : null),
  describe: String,
};

/** Below this a single packet would wait for seconds. */
const leastRate = 64 * 1024;

const rate: OptionRule<number> = {
  takes: 'bytes a second, 64KiB or more (500KiB, 2MiB)',
  read: (text) => {
    const bytes = readBytes(text);
    return bytes !== null && bytes >= leastRate ? bytes : null;
  },
  describe: (bytes) => `${formatBytes(bytes)}/s`,
};

const encodings: readonly Encoding[] = ['utf-8', 'utf-16', 'windows-1252', 'auto'];

const rules: { [name in keyof Required<OrgOptions>]: OptionRule<Required<OrgOptions>[name]> } = {
  maxDeactivations: {
    takes: 'a number of users, a share as "10%"',
    read: (text) => (/^\d{1,9}$|^\d{1,3}(\.\d+)?%$/.test(text) ? text : null),
    describe: String,
  },
  maxAdminChanges: {
    takes: 'a number of users',
    read: (text) => (/^\d{1,9}$/.test(text) ? Number(text) : null),
    describe: String,
  },
  identifier: {
    takes: 'the name of a column of your own, as "Employee ID"',
    read: readIdentifier,
    describe: String,
  },
  aliases: {
    takes: 'labels with the standard ones that they mean, as "Work Email=User Email; Boss=Manager Email"',
    read: readAliases,
    describe: (aliases) =>
      Object.entries(aliases)
        .map((pair) => pair.join('='))
        .join('; '),
  },
  encoding: {
    takes: 'utf-8, utf-16, windows-1252 or auto',
    read: (text) => encodings.find((encoding) => encoding === text.toLowerCase()) ?? null,
    describe: String,
  },
  maxUpdatedShare: {
    takes: 'a share from 0 to 1, or as 50%',
    read: (text) => {
      const percent = /^(\d{1,2}(?:\.\d+)?|100)%$/.exec(text);
      if (percent !== null) return Number(percent[1]) / 100;
      return /^(0(\.\d+)?|1(\.0+)?)$/.test(text) ? Number(text) : null;
    },
    describe: String,
  },
  maxConnections: count,
  maxSessions: count,
  maxHandles: count,
  uploadRate: rate,
  downloadRate: rate,
  hours: {
    takes: 'times of the week ("06:00-20:00", "mon-fri 06:00-20:00,sat 08:00-12:00")',
    read: (text) => (parseHours(text) === null ? null : text.toLowerCase()),
    describe: String,
  },
  addresses: {
    takes: 'address ranges (192.0.2.0/24,2001:db8::/32)',
    read: (text) => {
      const ranges = text.split(',').map(readRange);
      return ranges.every((range) => range !== null) ? ranges : null;
    },
    describe: (ranges) => ranges.join(','),
  },
  expectFiles: {
    takes: 'users, teams, users,teams,',
    read: (text) => {
      const files = text.split(',').map((file) => file.trim());
      return files.every((file) => ['users', 'teams'].includes(file)) ? [...new Set(files)].sort().join(',') : null;
    },
    describe: String,
  },
  expectBy: {
    takes: 'a time of day as HH:MM',
    read: (text) => (/^([01]\d|2[0-3]):[0-5]\d$/.test(text) ? text : null),
    describe: String,
  },
  expectDays: {
    takes: 'daily, weekdays, days as mon,wed,fri,',
    read: (text) => (readDays(text) === null ? null : text),
    describe: String,
  },
  smallerThan: {
    takes: 'a share as 50%',
    read: (text) => (/^([1-9]\d?)%$/.test(text) ? Number.parseInt(text, 10) / 100 : null),
    describe: (share) => `${Math.round(share * 100)}%`,
  },
  unchangedDays: count,
  cadence: {
    takes: 'daily, weekdays, days as mon,wed,fri, on-upload,',
    read: (text) => (text === 'on-upload' || readDays(text) !== null ? text : null),
    describe: String,
  },
  earlyCheck: {
    takes: 'yes or no',
    read: (text) => (/^(yes|no)$/.test(text) ? text === 'yes' : null),
    describe: (value) => (value ? 'yes' : 'no'),
  },
};

const standardLabels: readonly string[] = [...Object.values(userLabels), ...Object.values(teamLabels)];

function readIdentifier(text: string): string | null {
  const label = collapse(text);
  return isOwnLabel(label) ? label : null;
}

function readAliases(text: string): Record<string, string> | null {
  const pairs = text.split(';').map((pair) => pair.split('=').map(collapse));
  const aliases = pairs.map(([label = '', meant = '', ...more]): [string, string | undefined] => [
    label,
    more.length > 0 || !isOwnLabel(label) ? undefined : standardLabels.find((one) => labelKey(one) === labelKey(meant)),
  ]);
  const isTwice = new Set(aliases.map(([label]) => labelKey(label))).size < aliases.length;
  if (isTwice || aliases.some(([, standard]) => standard === undefined)) return null;
  return Object.fromEntries(aliases) as Record<string, string>;
}

/** A name that files have no other meaning for. */
function isOwnLabel(label: string): boolean {
  const taken = [...standardLabels, exportOnly].map(labelKey);
  return label !== '' && isName(label) && !taken.includes(labelKey(label));
}

export const optionNames = Object.keys(rules) as (keyof OrgOptions)[];

export function isOptionName(name: string): name is keyof OrgOptions {
  return Object.hasOwn(rules, name);
}

/** Reads one option; `default` is null. @throws OperationError `usage` that says what the option takes. */
export function readOption(name: keyof OrgOptions, text: string): OptionChange {
  if (text.trim() === 'default') return { [name]: null };
  const rule = rules[name] as OptionRule<unknown>;
  const value = rule.read(text.trim());
  if (value === null) throw new OperationError('usage', `${name} takes ${rule.takes} or "default", not "${text}"`);
  return { [name]: value } as OptionChange;
}

export function mergeOptions(before: OrgOptions, change: OptionChange): OrgOptions {
  const merged = Object.entries({ ...before, ...change }).filter(([, value]) => value !== null);
  return Object.fromEntries(merged);
}

/** The chosen options by name, as people read them. */
export function describeOptions(options: OrgOptions): Record<string, string> {
  const chosen = optionNames.filter((name) => options[name] !== undefined);
  return Object.fromEntries(chosen.map((name) => [name, (rules[name] as OptionRule<unknown>).describe(options[name])]));
}
