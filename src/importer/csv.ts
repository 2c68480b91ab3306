/** CSV as reports, templates and rejected rows are written: one form, which every spreadsheet opens and an import reads. */
import { stringify } from 'csv-stringify/sync';
import type { OrgOptions } from '../db/control/options.js';

/** Without it, a text that is written for an organization whose files are Windows-1252 would be read as that. */
const byteOrderMark = '\ufeff';

/** Lines end with CRLF; a cell with a newline of any kind is quoted, or it would be two rows when it is read. */
export function toCsv(rows: readonly (readonly (string | number)[])[]): string {
  return stringify(rows as (string | number)[][], { record_delimiter: '\r\n', quoted_match: /[\r\n]/ });
}

/** What has to stand before UTF-8 that the organization may send back. */
export function markOf({ encoding }: Pick<OrgOptions, 'encoding'>): string {
  return encoding === 'windows-1252' ? byteOrderMark : '';
}
