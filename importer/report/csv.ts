/** CSV as reports, templates and rejected rows are written: forms that spreadsheets open and an import reads. */
import { stringify } from 'csv-stringify/sync';
import type { OrgOptions } from '../../db/control/orgoptions.js';

/** Without it, UTF-8 is read as something else: by Excel, and here for an organization whose files are Windows-1252. */
export const byteOrderMark = '\ufeff';

/** Lines end with CRLF; a cell with a newline of any kind is quoted, or it would be two rows when it is read. */
export function toCsv(rows: readonly (readonly (string | number)[])[], delimiter = ','): string {
  return stringify(rows as (string | number)[][], { delimiter, record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
}

/** Whether a spreadsheet would misread the text without a byte order mark. */
export function hasWideLetters(text: string): boolean {
  return /[\u0080-\uffff]/.test(text);
}

/** Whether files of the organization that it may send back have the mark, also without such letters. */
export function isAlwaysMarked({ encoding }: Pick<OrgOptions, 'encoding'>): boolean {
  return encoding === 'windows-1252';
}

/** The bytes before UTF-8 text that the organization may send back. */
export function markOf(options: Pick<OrgOptions, 'encoding'>): string {
  return isAlwaysMarked(options) ? byteOrderMark : '';
}
