/** Patterns of names of files that an organization imports, or that are not finished (rule F0). */
import type { SettingRow } from './settingrow.js';

const mostPatterns = 100;
const longestPattern = 200;
const unseen = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

const patterns: Pick<SettingRow<string[]>, 'group' | 'write'> = {
  group: 'Reading files',
  write: (list) => list.join(', '),
};

export const importPatterns: SettingRow<string[]> = {
  ...patterns,
  meaning:
    'Further names of files that are imported, beside .csv, .tsv and .txt. * stands for any characters, ? for one; a pattern with / is compared with the whole path. Stored files that match are queued at once.',
  takes: ['at most 100 patterns such as *.dat or /hr/export-*, separated by commas'],
  example: '*.dat, users.*',
  default: 'names of data files only',
  read: (text) => readPatterns(text),
};

export const temporaryNames: SettingRow<string[]> = {
  ...patterns,
  meaning:
    'Further names of files that are not finished, beside the usual ones (.part, .tmp and others): such a file is imported only when it is renamed. * stands for any characters, ? for one; a pattern that ends with / is the name of a folder.',
  takes: ['at most 100 patterns such as wip-*, *.inwork or staging/, separated by commas'],
  example: 'wip-*, *.inwork, staging/',
  default: 'the usual ones',
  read: (text) => {
    const list = readPatterns(text);
    return list?.some((pattern) => /^[*?/]+$/.test(pattern)) ? null : list;
  },
};

/** null: there is no pattern, one is too long, or it has a part that no path has. */
function readPatterns(text: string): string[] | null {
  const list = [...new Set(text.split(',').map((pattern) => pattern.trim().normalize('NFC')))];
  const isSound = (pattern: string) =>
    pattern !== '' &&
    pattern.length <= longestPattern &&
    !unseen.test(pattern) &&
    pattern !== '/' &&
    !/\/\/|(?:^|\/)\.{1,2}(?:\/|$)/.test(pattern);
  return list.length <= mostPatterns && list.every(isSound) ? list : null;
}
