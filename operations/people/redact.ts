/** Finds the addresses of a person in texts, and takes the person out of them: rows of CSV files, and mentions elsewhere. */
import { erasedMark } from '../../db/directory/erasure.js';
import { teamLabels, userLabels, type Wording } from '../../importer/read/labels.js';
import { dropInvisible, emailKey, isEmail, labelKey } from '../../importer/read/normalize.js';

export interface Person {
  /** Compared forms. */
  addresses: readonly string[];
  /** The value of the organization's identifier column; null: there is none. */
  identifier: string | null;
  /** Names that lines of reports may have. */
  names: readonly string[];
}

/** Matches each address of the person where it is whole, in any case: `joann@x.test` does not mention `ann@x.test`. */
export function addressPattern(addresses: readonly string[], flags = 'giu'): RegExp {
  const escaped = addresses.map((address) => address.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
  const isBegun = "(?<![\\p{L}\\p{N}.+_~@-])(?<![\\p{L}\\p{N}]['`])";
  return new RegExp(`${isBegun}(?:${escaped.join('|')})(?![\\p{L}\\p{N}@_-]|\\.[\\p{L}\\p{N}])`, flags);
}

/** Replaces each mention of the addresses. */
export function createRedactor(addresses: readonly string[]): (text: string) => string {
  const pattern = addressPattern(addresses);
  return (text) => text.replace(pattern, erasedMark);
}

/**
 * The text without the person: rows of the person are left out, and so are lines of reports that name the person; other
 * mentions are replaced. null: it has no mention.
 * @param text as it is written, a byte order mark included.
 * @param isCsv whether its name is that of a CSV file: without a column of users or teams it is a report then.
 */
export function redactText(text: string, person: Person, wording: Wording, isCsv: boolean): string | null {
  const isThere =
    addressPattern(person.addresses, 'iu').test(text) ||
    (person.identifier !== null && text.includes(person.identifier)) ||
    person.names.some((name) => text.includes(name));
  if (!isThere) return null;
  const redacted = redactTable(text, person, wording, isCsv);
  const result = redacted ?? text.replace(addressPattern(person.addresses), erasedMark);
  return result === text ? null : result;
}

interface Columns {
  email: number;
  userName: number;
  manager: number;
  managerEmail: number;
  identifier: number;
  /** false: a report. */
  isData: boolean;
}

/** null: it has no table that can be separated by quotes and line ends. */
function redactTable(text: string, person: Person, wording: Wording, isCsv: boolean): string | null {
  const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
  const records = splitRecords(text.slice(mark.length));
  let at = 0;
  while (at < records.length && (records[at]!.trim() === '' || /^"?sep=/i.test(records[at]!))) at++;
  const header = records[at];
  if (header === undefined) return null;
  const delimiter = delimiterOf(header);
  const columns = findColumns(splitCells(header, delimiter), wording);
  if (!columns.isData && !isCsv) return null;
  const kept = records.slice(0, at + 1);
  const pattern = addressPattern(person.addresses, 'iu');
  for (const record of records.slice(at + 1)) {
    const left = redactRecord(record, splitCells(record, delimiter), delimiter, columns, person, pattern);
    if (left !== null) kept.push(left);
  }
  return mark + kept.join('');
}

/** null: the record is left out. */
function redactRecord(
  record: string,
  cells: string[],
  delimiter: string,
  columns: Columns,
  person: Person,
  pattern: RegExp,
): string | null {
  const at = (column: keyof Columns) => readGuarded(cells[columns[column] as number]);
  const isAddress = (cell: string) => person.addresses.includes(emailKey(dropInvisible(cell)));
  const isName = (cell: string) => cell !== '' && person.names.includes(cell);
  const isIdentifier = person.identifier !== null && at('identifier') === person.identifier;
  // A row with a faulty address may be of anyone: the name decides.
  const isNamed = isName(at('userName')) && !isEmail(at('email'));
  if (isAddress(at('email')) || isIdentifier || (columns.isData && isNamed)) return null;
  const isMentioned = pattern.test(record);
  if (!columns.isData) {
    const terms = person.identifier === null ? person.names : [...person.names, person.identifier];
    return isMentioned || cells.some((cell) => terms.includes(readGuarded(cell))) ? null : record;
  }
  const isManager = isAddress(at('managerEmail')) || (isName(at('manager')) && !isEmail(at('managerEmail')));
  if (!isMentioned && !isManager) return record;
  const left = cells.map((cell, index) =>
    isManager && index === columns.manager ? '' : cell.replace(addressPattern(person.addresses), ''),
  );
  return left.map((cell) => quote(cell, delimiter)).join(delimiter) + /\r?\n?$/.exec(record)![0];
}

/** A cell without the marks by which spreadsheets take it for a text. */
function readGuarded(cell = ''): string {
  const trimmed = cell.trim();
  return /^="(.*)"$/.exec(trimmed)?.[1] ?? trimmed.replace(/^'/, '');
}

function findColumns(cells: readonly string[], { aliases }: Wording): Columns {
  const keys = cells.map((cell) => labelKey(aliases.get(labelKey(cell)) ?? cell));
  const at = (label: string) => keys.indexOf(labelKey(label));
  return {
    email: at(userLabels.email),
    userName: at(userLabels.userName),
    manager: at(userLabels.managerName),
    managerEmail: at(userLabels.managerEmail),
    identifier: keys.indexOf(identifierKey),
    isData: at(userLabels.email) >= 0 || at(teamLabels.name) >= 0,
  };
}

const identifierKey = '\0identifier';

/** Points the identifier's label at a column that `findColumns` knows. */
export function withIdentifier(wording: Wording, label: string | undefined): Wording {
  if (label === undefined) return wording;
  return { ...wording, aliases: new Map([...wording.aliases, [labelKey(label), identifierKey]]) };
}

/** Records with their line ends: a line end within quotes belongs to its record. */
function splitRecords(text: string): string[] {
  const records: string[] = [];
  let start = 0;
  let isQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') isQuoted = !isQuoted;
    else if (char === '\n' && !isQuoted) {
      records.push(text.slice(start, at + 1));
      start = at + 1;
    }
  }
  // A quote that is never closed would make one record of the rest: lines are records then.
  const rest = text.slice(start);
  if (isQuoted) records.push(...(rest.match(/[^\n]*\n|[^\n]+$/g) ?? []));
  else if (rest !== '') records.push(rest);
  return records;
}

function splitCells(record: string, delimiter: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let isQuoted = false;
  const text = record.replace(/\r?\n$/, '');
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (isQuoted && char === '"' && text[at + 1] === '"') {
      cell += '"';
      at++;
    } else if (char === '"' && (isQuoted || cell === '')) isQuoted = !isQuoted;
    else if (char === delimiter && !isQuoted) {
      cells.push(cell);
      cell = '';
    } else cell += char;
  }
  return [...cells, cell];
}

function quote(cell: string, delimiter: string): string {
  return /["\r\n]/.test(cell) || cell.includes(delimiter) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

function delimiterOf(header: string): string {
  const counts = [',', ';', '\t', '|'].map((mark) => ({ mark, count: header.split(mark).length }));
  return counts.sort((one, other) => other.count - one.count)[0]!.mark;
}
