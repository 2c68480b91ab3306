/** A row of the table of `orgs set`: everything that is said about one setting of an organization, and its check. */
import type { Settings } from '../../config/settings.js';
import { OperationError } from '../error.js';

/** Headings under which help, `orgs show` and the docs list the settings, in this order. */
export const settingGroups = [
  'Organization',
  'Import schedule',
  'Reading files',
  'Encryption',
  'Approval limits',
  'Alarms',
  'SFTP access',
  'Storage limits',
] as const;

export interface SettingRow<Value> {
  group: (typeof settingGroups)[number];
  /** One or two plain sentences that an HR admin understands at first reading. */
  meaning: string;
  /** The accepted values; messages say "must be A, B or C". */
  takes: readonly string[];
  /** A value, as an operator types it. */
  example: string;
  /** The effect of no value: words, or the server setting whose value is used. null: there is always a value. */
  default: string | { setting: keyof Settings } | null;
  /** The unit of a plain number. */
  unit?: 'users' | 'days' | 'bytes' | 'bytes a second';
  /** null: the text is not such a value. The text is trimmed. */
  read(text: string): Value | null;
  /** A text that `read` takes as the same value. */
  write(value: Value): string;
}

/**
 * Reads the value of the setting `name`. `takes`: its accepted values, in words.
 * @throws OperationError `usage` that names the setting and the values it takes, with an example.
 */
export function readRow<Value>(name: string, row: SettingRow<Value>, takes: string, text: string): Value {
  const value = row.read(text.trim());
  if (value !== null) return value;
  const example = writeAssignment(name, row.example);
  throw new OperationError('usage', `${name} must be ${takes}, not "${text}"; example: ${example}`);
}

/** `a, b or c`; between phrases of several words `a phrase, another one, or c`. */
export function joinChoices(choices: readonly string[]): string {
  if (choices.length < 2) return choices.join('');
  const or = choices.some((choice) => choice.includes(' ')) ? ', or' : ' or';
  return `${choices.slice(0, -1).join(', ')}${or} ${choices.at(-1)}`;
}

/** `slot=02:00`, quoted for a shell where it must be. */
export function writeAssignment(name: string, value: string): string {
  return `${name}=${/^[\w.,:%@/+-]*$/.test(value) ? value : `"${value}"`}`;
}

/** The part of a row about a setting that takes one of several words. */
export function oneOf<const Word extends string>(
  ...words: Word[]
): Pick<SettingRow<Word>, 'takes' | 'example' | 'read' | 'write'> {
  return {
    takes: words,
    example: words[1] ?? words[0]!,
    read: (text) => words.find((word) => word === text.toLowerCase()) ?? null,
    write: String,
  };
}

/** The part of a row about a setting that takes a whole number. */
export function wholeNumber(min: number, max: number): Pick<SettingRow<number>, 'takes' | 'read' | 'write'> {
  return {
    takes: [`a whole number from ${min} to ${max}`],
    read: (text) => (/^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : null),
    write: String,
  };
}
