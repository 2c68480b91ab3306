/** Sizes, durations and shares as people write them (`4GiB`, `20GB`, `30m`, `7d`, `10%`): read here for settings, variables, commands and organizations. */

const bytesOf: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  tb: 1000 ** 4,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

const msOf = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** The unit that a setting has in its name: a plain number counts these. */
export type DurationUnit = 'seconds' | 'minutes' | 'hours' | 'days';

const letterOf = { seconds: 's', minutes: 'm', hours: 'h', days: 'd' } as const;

/** Longer ones are mistakes, and would leave the range of dates. */
const longestMs = 36_525 * msOf.d;

/** For messages: every form that `readSize` takes. */
export const sizeForms = 'a number of bytes, plain or with a unit such as 500KB, 20GB, 64KiB or 4GiB';

/** For messages: durations that are whole numbers of the unit. */
export function durationForms(unit: DurationUnit): string {
  const forms = { seconds: '90s, 30m, 24h', minutes: '30m, 24h', hours: '24h', days: '' }[unit];
  return forms === '' ? '7d or 2w' : `${forms} or 7d`;
}

/** `20GB`, `4GiB`, `500`, in bytes: KB to TB are powers of 1000, KiB to TiB powers of 1024. null: it is no such size. */
export function readSize(text: string): number | null {
  const [, digits, unit = 'b'] = /^(\d{1,16}) ?([kmgt]i?b|b)?$/i.exec(text.trim()) ?? [];
  const bytes = digits === undefined ? Number.NaN : Number(digits) * bytesOf[unit.toLowerCase()]!;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** The shortest text that `readSize` reads as the same number of bytes: `4GiB`, `20GB`, `1234567`. */
export function writeSize(bytes: number): string {
  const units = ['TiB', 'TB', 'GiB', 'GB', 'MiB', 'MB', 'KiB', 'KB'];
  const unit = bytes === 0 ? undefined : units.find((one) => bytes % bytesOf[one.toLowerCase()]! === 0);
  return unit === undefined ? String(bytes) : `${bytes / bytesOf[unit.toLowerCase()]!}${unit}`;
}

/** `90s`, `30m`, `24h`, `7d`, `2w`, in milliseconds. null: it is no such duration, or one of more than 100 years. */
export function readDuration(text: string): number | null {
  const [, digits, unit] = /^(\d{1,10}) ?([smhdw])$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return null;
  const ms = Number(digits) * msOf[unit!.toLowerCase() as keyof typeof msOf];
  return ms <= longestMs ? ms : null;
}

/** A duration counted in `unit`, which a plain number counts too: `90s` is 1.5 minutes. null: neither. */
export function readDurationIn(unit: DurationUnit, text: string): number | null {
  const ms = readDuration(text);
  if (ms !== null) return ms / msOf[letterOf[unit]];
  const count = text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(count) ? count : null;
}

/** As `readDurationIn` reads it: `30m`. */
export function writeDuration(unit: DurationUnit, count: number): string {
  return `${count}${letterOf[unit]}`;
}

/** `0.5` or `50%`, as a number from 0 to 1. null: it is no share. */
export function readShare(text: string): number | null {
  const [, digits, percent] = /^(\d{1,3}(?:\.\d{1,9})?)(%?)$/.exec(text.trim()) ?? [];
  if (digits === undefined) return null;
  const share = percent === '%' ? Number(digits) / 100 : Number(digits);
  return share <= 1 ? share : null;
}
