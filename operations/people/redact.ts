/** Finds the addresses of a person in texts, and takes the person out of them: rows of CSV files, and mentions elsewhere. */
import { erasedMark } from '../../db/directory/erasure.js';
import { exportOnly, teamLabels, userLabels, type Wording } from '../../importer/read/labels.js';
import { dropInvisible, emailKey, isEmail, labelKey } from '../../importer/read/normalize.js';

export interface Person {
  /** Compared forms. */
  addresses: readonly string[];
  /** The value of the organization's identifier column; null: there is none. */
  identifier: string | null;
  /** Names that lines of reports may have. */
  names: readonly string[];
  /** Stands in place of the person in names of files: `erased-` and the receipt. */
  mark: string;
  /** Other texts that mean the person, as an operator gave them: they are looked for in free text too. */
  texts: readonly string[];
}

/** Matches each address of the person where it is whole, in any case: `joann@x.test` does not mention `ann@x.test`. */
export function addressPattern(addresses: readonly string[], flags = 'giu'): RegExp {
  const escaped = addresses.map(escapePattern);
  const isBegun = "(?<![\\p{L}\\p{N}.+_~@-])(?<![\\p{L}\\p{N}]['`])";
  return new RegExp(`${isBegun}(?:${escaped.join('|')})(?![\\p{L}\\p{N}@_-]|\\.[\\p{L}\\p{N}])`, flags);
}

/** Matches each of the texts where it is whole, in any case, with any spaces between its words. */
export function textPattern(texts: readonly string[], between = '\\s+', flags = 'giu'): RegExp {
  const escaped = texts.map((text) => text.trim().split(/\s+/).map(escapePattern).join(between));
  // Without a text it matches nothing.
  return new RegExp(
    `(?<![\\p{L}\\p{N}])(?:${escaped.length === 0 ? '(?!)' : escaped.join('|')})(?![\\p{L}\\p{N}])`,
    flags,
  );
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

/** Ends of file names behind an address: `ann@acme.test.csv` has the address, `ann@acme.test.org` another one. */
const endings =
  'csv|tsv|txt|gz|zip|xlsx?|ods|pdf|json|xml|pgp|gpg|asc|age|report|rejected|check|dry-run|held|was-held|superseded|changes|summary|part';

/** Replaces each mention in names of files and folders, where words may be joined: `ann-miller.csv`. */
export function createPathRedactor({ addresses, texts, mark }: Person): (path: string) => string {
  const address = new RegExp(
    `(?<![\\p{L}\\p{N}.+])(?:${addresses.map(escapePattern).join('|')})(?![\\p{L}\\p{N}@]|\\.(?!(?:${endings})(?![\\p{L}\\p{N}]))[\\p{L}\\p{N}])`,
    'giu',
  );
  const words = textPattern(texts, '[\\s._+-]*');
  return (path) => path.replace(address, mark).replace(words, mark);
}

/** Matches the addresses where a text has the name of a file or a folder with them. */
function fileMention(addresses: readonly string[]): RegExp {
  const escaped = addresses.map(escapePattern).join('|');
  return new RegExp(`(?<![\\p{L}\\p{N}.+])(?:${escaped})(?=/|\\.(?:${endings})(?![\\p{L}\\p{N}]))`, 'giu');
}

/** Replaces each mention in records of runs. */
export function createRecordRedactor({ addresses, identifier, names, texts }: Person): (text: string) => string {
  const words = textPattern([...names, ...texts, ...(identifier === null ? [] : [identifier])]);
  const redact = createRedactor(addresses);
  return (text) => redact(text).replace(words, erasedMark);
}

/** Labels of columns that have no free text, by their compared forms. */
const standardKeys = new Set([...Object.values(userLabels), ...Object.values(teamLabels), exportOnly].map(labelKey));

/** Replaces mentions in a value of the directory or its history: the addresses in all, the texts in custom fields. */
export function createValueRedactor({ addresses, texts }: Person): (text: string, label: string) => string {
  const redact = createRedactor(addresses);
  const words = textPattern(texts);
  return (text, label) => {
    const left = redact(text);
    if (label === '') return redactCreation(left, words);
    return standardKeys.has(labelKey(label)) ? left : left.replace(words, erasedMark);
  };
}

/** The record of a creation: JSON of the values by label, those of custom fields in `custom`. */
function redactCreation(text: string, words: RegExp): string {
  if (text.search(words) < 0) return text;
  const values = JSON.parse(text) as { custom?: Record<string, string> };
  if (values.custom === undefined) return text;
  const custom = Object.entries(values.custom).map(([label, value]) => [label, value.replace(words, erasedMark)]);
  return JSON.stringify({ ...values, custom: Object.fromEntries(custom) });
}

/** Replaces each mention of the addresses. */
export function createRedactor(addresses: readonly string[]): (text: string) => string {
  const pattern = addressPattern(addresses);
  return (text) => text.replace(pattern, erasedMark);
}

/**
 * The text without the person: rows of the person are left out, and so are lines of reports that name the person; other
 * mentions are replaced. null: it has no mention.
 * @param sent as it is written, a byte order mark included.
 * @param isCsv whether its name is that of a CSV file: without a column of users or teams it is a report then.
 */
export function redactText(sent: string, person: Person, wording: Wording, isCsv: boolean): string | null {
  const text = sent.replace(fileMention(person.addresses), person.mark);
  const isThere =
    text !== sent ||
    addressPattern(person.addresses, 'iu').test(text) ||
    (person.identifier !== null && text.includes(person.identifier)) ||
    person.names.some((name) => text.includes(name)) ||
    textPattern(person.texts, undefined, 'iu').test(text);
  if (!isThere) return null;
  const redacted = redactTable(text, person, wording, isCsv);
  const result =
    redacted ??
    text.replace(addressPattern(person.addresses), erasedMark).replace(textPattern(person.texts), erasedMark);
  return result === sent ? null : result;
}

interface Columns {
  email: number;
  userName: number;
  manager: number;
  managerEmail: number;
  identifier: number;
  /** Columns that may have free text: those of custom fields. */
  free: ReadonlySet<number>;
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
  const patterns = {
    address: addressPattern(person.addresses, 'iu'),
    text: textPattern(person.texts, undefined, 'iu'),
  };
  for (const record of records.slice(at + 1)) {
    const left = redactRecord(record, splitCells(record, delimiter), delimiter, columns, person, patterns);
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
  { address, text }: { address: RegExp; text: RegExp },
): string | null {
  const at = (column: Exclude<keyof Columns, 'free' | 'isData'>) => readGuarded(cells[columns[column]]);
  const isAddress = (cell: string) => person.addresses.includes(emailKey(dropInvisible(cell)));
  const isName = (cell: string) => cell !== '' && person.names.includes(cell);
  const isIdentifier = person.identifier !== null && at('identifier') === person.identifier;
  // A row with a faulty address may be of anyone: the name decides.
  const isNamed = isName(at('userName')) && !isEmail(at('email'));
  if (isAddress(at('email')) || isIdentifier || (columns.isData && isNamed)) return null;
  const isMentioned = address.test(record);
  if (!columns.isData) {
    const terms = person.identifier === null ? person.names : [...person.names, person.identifier];
    return isMentioned || text.test(record) || cells.some((cell) => terms.includes(readGuarded(cell))) ? null : record;
  }
  const isManager = isAddress(at('managerEmail')) || (isName(at('manager')) && !isEmail(at('managerEmail')));
  const hasText = cells.some((cell, index) => columns.free.has(index) && text.test(cell));
  if (!isMentioned && !isManager && !hasText) return record;
  const left = cells.map((cell, index) => {
    if (isManager && index === columns.manager) return '';
    const kept = cell.replace(addressPattern(person.addresses), '');
    return columns.free.has(index) ? kept.replace(textPattern(person.texts), erasedMark) : kept;
  });
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
    free: new Set(keys.flatMap((key, index) => (standardKeys.has(key) || key === identifierKey ? [] : [index]))),
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
