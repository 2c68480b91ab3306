/** The storage limits of one organization: the rows of `orgs set` whose values are in the column `limits`. */
import { settingsSchema } from '../../config/settings.js';
import { readSize, writeSize } from '../../config/units.js';
import type { LimitName, OrgLimits } from '../../db/control/orgs.js';
import type { SettingRow } from './settingrow.js';

/** null: the setting of the same name holds again. */
export type LimitChange = Partial<Record<LimitName, number | null>>;

/** The bounds are those of the setting of the same name. */
function sizeLimit(name: LimitName, range: string) {
  return {
    group: 'Storage limits',
    default: { setting: name },
    unit: 'bytes',
    takes: [`a size${range}`],
    read: (text: string) => inBounds(name, readSize(text)),
    write: writeSize,
  } as const;
}

function countLimit(name: LimitName, takes: string) {
  return {
    group: 'Storage limits',
    default: { setting: name },
    takes: [takes],
    read: (text: string) => inBounds(name, /^\d{1,15}$/.test(text) ? Number(text) : null),
    write: String,
  } as const;
}

function inBounds(name: LimitName, value: number | null): number | null {
  return value !== null && settingsSchema.shape[name].safeParse(value).success ? value : null;
}

export const limitRows: Record<LimitName, SettingRow<number>> = {
  maxStoredBytes: {
    ...sizeLimit('maxStoredBytes', ' such as 500MB, 20GiB or 1048576'),
    meaning: 'Most storage: files, archive, reports and uploads in progress together, before encryption.',
    example: '20GiB',
  },
  maxFileBytes: {
    ...sizeLimit('maxFileBytes', ' such as 500MB, 20GiB or 1048576'),
    meaning: 'Largest file that may be uploaded, before encryption.',
    example: '500MiB',
  },
  maxFiles: {
    ...countLimit('maxFiles', 'a whole number of 1 or more'),
    meaning: 'Most files and folders, archive and reports included.',
    example: '20000',
  },
  maxFolderDepth: {
    ...countLimit('maxFolderDepth', 'a whole number from 1 to 32'),
    meaning: 'Most names in one path: its folders and the file.',
    example: '4',
  },
  maxNameBytes: {
    ...sizeLimit('maxNameBytes', ' of up to 255'),
    meaning: 'Longest name of a file or folder, in bytes of UTF-8.',
    example: '100',
  },
};

export function mergeLimits(before: OrgLimits, change: LimitChange): OrgLimits {
  const merged = Object.entries({ ...before, ...change }).filter(([, value]) => value !== null);
  return Object.fromEntries(merged);
}
