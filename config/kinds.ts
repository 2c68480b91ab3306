/** The kinds of values that settings take. Each gives the check, the error message, and the words of the reference. */
import { z } from 'zod';
import {
  type DurationUnit,
  durationForms,
  readDurationIn,
  readShare,
  readSize,
  sizeForms,
  writeDuration,
  writeSize,
} from './units.js';

/** The notes of docs/settings.md about the values of a setting, beside its default and meaning. */
export interface KindNotes {
  takes: string;
  /** The unit in which the default is written. */
  unit?: 'bytes' | DurationUnit;
}

interface Bounds {
  min?: number;
  max?: number | undefined;
}

/** Node's timers wait at most 24 days; one that is set to more ends at once. */
const longestTimer = '24d';

export function text(takes = 'text') {
  return z.string({ error: 'must be text' }).min(1, 'must not be empty').meta(notes({ takes }));
}

export function choice<const Choice extends string>(...choices: Choice[]) {
  const last = choices.slice(-2).join(' or ');
  const takes = choices.map((one) => `\`${one}\``).join(', ');
  return z.enum(choices, { error: `must be ${[...choices.slice(0, -2), last].join(', ')}` }).meta(notes({ takes }));
}

/** A whole number, from 1 unless `min` says otherwise. */
export function count({ min = 1, max }: Bounds = {}) {
  const range = max === undefined ? `of ${min} or more` : `from ${min} to ${max}`;
  return numberOf(readNumber, `must be a whole number ${range}`, { min, max }, true).meta(
    notes({ takes: `whole number ${range}` }),
  );
}

/** A number from 0 to 1, also written as a percentage. */
export function share() {
  return numberOf(readShare, 'must be a share, such as 0.5 or 50%', { min: 0, max: 1 }, false).meta(
    notes({ takes: 'share, `0` to `1` or `0%` to `100%`' }),
  );
}

/** A number of bytes, from 1 unless `min` says otherwise. */
export function size({ min = 1, max }: Bounds = {}) {
  const range = max === undefined ? `${withUnit(min)} or more` : `${withUnit(min)} to ${withUnit(max)}`;
  const error = `must be a size: ${sizeForms}; ${range}`;
  return numberOf((given) => readSize(given) ?? readNumber(given), error, { min, max }, true).meta(
    notes({ takes: `size, ${range}`, unit: 'bytes' }),
  );
}

interface DurationBounds {
  min?: number;
  /** Whether parts of the unit are allowed. */
  fraction?: boolean;
  /** Whether a timer waits for it: it must then fit into one. */
  timer?: boolean;
}

/** A number of the unit that the setting has in its name: a whole one of 1 or more, unless the bounds say otherwise. */
export function duration(unit: DurationUnit, { min = 1, fraction = false, timer = false }: DurationBounds = {}) {
  const least = min === 0 ? '0 or more' : fraction ? 'more than 0' : `${writeDuration(unit, min)} or more`;
  const range = timer ? `${least}, at most ${longestTimer}` : least;
  const kind = fraction ? unit : `whole ${unit}`;
  const error = `must be ${kind}, as a plain number or as a duration such as ${durationForms(fraction ? 'seconds' : unit)}; ${range}`;
  const bounds = { min: fraction ? 0 : min, max: timer ? readDurationIn(unit, longestTimer)! : undefined };
  const schema = numberOf((given) => readDurationIn(unit, given), error, bounds, !fraction);
  const checked = fraction && min > 0 ? schema.refine((value) => value > 0, error) : schema;
  return checked.meta(notes({ takes: `duration${fraction ? '' : ` of ${kind}`}, ${range}`, unit }));
}

/** A list: an array in the settings file, text with commas in a variable or on the command line. */
export function listOf(isItem: (item: string) => boolean, error: string, takes: string) {
  const split = (given: unknown): unknown =>
    typeof given !== 'string' ? given : given.split(',').flatMap((part) => part.trim() || []);
  return z.preprocess(split, z.array(z.string({ error }).refine(isItem, error), { error })).meta(notes({ takes }));
}

/** Text in the form of `pattern`. */
export function pattern(form: RegExp, error: string, takes: string) {
  return z.string({ error }).regex(form, error).meta(notes({ takes }));
}

/** Text that `isText` takes. */
export function checkedText(isText: (given: string) => boolean, error: string, takes: string) {
  return text().refine(isText, error).meta(notes({ takes }));
}

function withUnit(bytes: number): string {
  const written = writeSize(bytes);
  return written === String(bytes) ? `${written} ${bytes === 1 ? 'byte' : 'bytes'}` : written;
}

function readNumber(given: string): number | null {
  return given.trim() === '' || Number.isNaN(Number(given)) ? null : Number(given);
}

function numberOf(read: (given: string) => number | null, error: string, { min = 0, max }: Bounds, whole: boolean) {
  const number = z.number({ error }).min(min, error);
  const bounded = max === undefined ? number : number.max(max, error);
  return z.preprocess(
    (given) => (typeof given === 'string' ? (read(given) ?? Number.NaN) : given),
    whole ? bounded.int(error) : bounded,
  );
}

function notes(found: KindNotes): KindNotes & Record<string, unknown> {
  return { ...found };
}
