/** CSV as reports, templates and rejected rows are written: forms that spreadsheets open and an import reads. */
import { stringify } from 'csv-stringify/sync';
import type { OrgOptions } from '../../db/control/importoptions.js';

/** Without it, UTF-8 is read as something else: by Excel, and here for an organization whose files are Windows-1252. */
export const byteOrderMark = '\ufeff';

/** Lines end with CRLF; a cell with a newline of any kind is quoted, or it would be two rows when it is read. */
export function toCsv(rows: readonly (readonly (string | number)[])[], delimiter = ','): string {
  return stringify(rows as (string | number)[][], { delimiter, record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
}

/** The bytes before UTF-8 text that the organization may send back. */
export function markOf({ encoding }: Pick<OrgOptions, 'encoding'>): string {
  return encoding === 'windows-1252' ? byteOrderMark : '';
}
