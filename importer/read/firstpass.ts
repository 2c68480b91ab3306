/**
 * Opens a file for planning, in one pass over it: its header, its columns, and the rows that have to be planned. Known rows are
 * left out where the plan is the same without them; otherwise the whole file is read.
 */
import type { Settings } from '../../config/settings.js';
import type { Org } from '../../db/control/orgs.js';
import type { Field } from '../../db/directory/fields.js';
import type { KnownForm } from '../../db/directory/knownrows.js';
import { RefusalError } from '../codes.js';
import type { Progress } from '../types.js';
import { addressAt } from './cell.js';
import { blankTokens } from './cleartoken.js';
import { type ColumnPlan, planColumns } from './columns.js';
import { type Survey, surveyRows } from './columnsurvey.js';
import type { ErasedPeople } from './erased.js';
import { mostFields, widenLimits } from './fieldlimit.js';
import type { Header } from './header.js';
import { digestOf, hexOf, type KnownRows } from './knownrowfilter.js';
import { wordingOf } from './labels.js';
import { emailKey } from './normalize.js';
import type { Limits, Row } from './parse.js';
import { RaggedError } from './records.js';
import { type Reading, readChanged, readWhole } from './rowstream.js';
import type { Source } from './source.js';
import type { TeamName } from './teamlist.js';
import { valueRulesOf } from './valuerules.js';

/** The input of reading, the same for all files of one run. */
export interface ReadInput {
  settings: Settings;
  org: Org;
  /** The run's moment, in milliseconds since 1970. */
  now: number;
  /** The organization's custom fields; planning a file adds those that it creates. */
  fields: Field[];
  /** Old names of renamed teams, by their compared forms. */
  teamAliases: ReadonlyMap<string, TeamName>;
  /** The digest of the import hooks that map rows; absent: none do. */
  hooksDigest?: string | undefined;
  /** Rows whose values the directory has already. */
  known: KnownRows;
  /** Absent: the organization has erased nobody. */
  erased?: ErasedPeople | undefined;
  /** Called at every step; it throws to end the run at a safe point. */
  reportProgress(progress: Progress): void;
}

export interface OpenedFile {
  reading: Reading;
  /** It counts all rows of the file; its facts come from the rows that were read. */
  survey: Survey;
  /** null: the file has no row. */
  columns: ColumnPlan | null;
}

/**
 * @param mayLeaveOut whether rows that are known need not be planned.
 * @throws RefusalError
 */
export async function openFile(input: ReadInput, source: Source, mayLeaveOut: boolean): Promise<OpenedFile> {
  const onProgress = (rows: number) => input.reportProgress({ phase: 'reading', file: source.name, rows });
  const limits = widenLimits(input.settings, input.fields);
  const changed = mayLeaveOut ? await readChanged(source, limits, input.known, onProgress) : null;
  if (changed !== null) {
    const opened = await tryChanged(input, changed, limits);
    if (opened !== null) return opened;
  }
  return survey(input, readWhole(source, limits), limits, onProgress);
}

async function survey(
  input: ReadInput,
  reading: Reading,
  limits: Limits,
  onProgress: (rows: number) => void,
): Promise<OpenedFile> {
  const { org, fields } = input;
  const rules = valueRulesOf(org.options);
  const token = org.options.clearToken;
  const batches = token === undefined ? reading.open() : withoutTokens(reading.open(), token);
  const found = await surveyRows(batches, limits, wordingOf(org, fields), rules, onProgress);
  found.rows += reading.recognized;
  if (found.header === null || found.rows === 0) return { reading, survey: found, columns: null };
  return { reading, survey: found, columns: columnsOf(input, found, found.header) };
}

/** The columns of a file as the rows say that were surveyed so far. */
export function columnsOf(
  { settings, org, fields, now, teamAliases }: ReadInput,
  found: Survey,
  header: Header,
): ColumnPlan {
  return { ...planColumns(header, found, fields, org, now, mostFields(settings)), teamAliases };
}

/** A clear token decides neither the type of a field nor an order of dates. */
async function* withoutTokens(batches: AsyncIterable<Row[]>, token: string): AsyncGenerator<Row[]> {
  for await (const batch of batches) yield batch.map((row) => blankTokens(row, token));
}

/** null: the changed rows mean something else without the rows that were left out, so the whole file has to be read. */
async function tryChanged(input: ReadInput, reading: Reading, limits: Limits): Promise<OpenedFile | null> {
  try {
    const opened = await survey(input, reading, limits, () => {});
    const { columns } = opened;
    if (columns === null || formOrders(columns, opened.survey.header!) !== input.known.form!.orders) return null;
    return (await repeatsUser(input.known, reading, opened.survey.header!)) ? null : opened;
  } catch (error) {
    // Reading the whole file gives the refusal its right line.
    if (error instanceof RaggedError || error instanceof RefusalError) return null;
    throw error;
  }
}

/** Whether a row has the same user as a row that was left out (rule U2). */
async function repeatsUser(known: KnownRows, { open, met }: Reading, { key }: Header): Promise<boolean> {
  for await (const batch of open())
    for (const row of batch) {
      const place = known.findUser(digestOf(emailKey(addressAt(row, key) ?? '')));
      if (place >= 0 && met?.[place] === 1) return true;
    }
  return false;
}

/** The form of the file, with which its rows are stored as known. @param line the digest of the header's line. */
export function formOf(line: string, header: Header, columns: ColumnPlan): KnownForm {
  return { header: hexOf(line), orders: formOrders(columns, header) };
}

/** The import hook may give a file other columns than its header has: those of the rows left out must be the same. */
function formOrders(columns: ColumnPlan, { cells }: Header): string {
  const labels = hexOf(digestOf(JSON.stringify(cells)), 16);
  return `${labels} ${ordersOf(columns)}`;
}

/** All rows of a file decide the order of its dates together (rule U14): the rows left out must have the same. */
function ordersOf({ standard, deactivationOrder, fields }: ColumnPlan): string {
  const dates = fields.filter(({ field }) => field.type === 'date').map(({ index, order }) => `${index} ${order}`);
  return [...(standard.has('deactivationDate') ? [deactivationOrder] : []), ...dates].join(', ');
}
