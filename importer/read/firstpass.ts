/**
 * The first pass over a file: what it is, what its columns become, and which of its rows have to be planned. Those that are
 * known are left out where that makes no difference to the plan; else the file is read as a whole.
 */
import type { KnownForm } from '../../db/directory/knownrows.js';
import { RefusalError } from '../codes.js';
import type { PlanJob } from '../plan/plan.js';
import { addressAt } from './cells.js';
import { type ColumnPlan, planColumns } from './columns.js';
import { type Survey, surveyRows } from './columnsurvey.js';
import { mostFields, widenLimits } from './fieldlimit.js';
import type { Header } from './header.js';
import { digestOf, type KnownRows } from './knownrowfilter.js';
import { wordingOf } from './labels.js';
import { emailKey } from './normalize.js';
import type { Limits } from './parse.js';
import { RaggedError } from './records.js';
import { type Reading, readChanged, readWhole } from './rowstream.js';
import type { Source } from './source.js';

export interface OpenedFile {
  reading: Reading;
  /** Its rows are all of the file, its facts those of the rows that are read. */
  survey: Survey;
  /** null: the file has no row. */
  columns: ColumnPlan | null;
}

/**
 * @param mayLeaveOut whether rows that are known need not be planned.
 * @throws RefusalError
 */
export async function openFile(job: PlanJob, source: Source, mayLeaveOut: boolean): Promise<OpenedFile> {
  const tell = (rows: number) => job.tell({ phase: 'reading', file: source.name, rows });
  const limits = widenLimits(job.settings, job.fields);
  const changed = mayLeaveOut ? await readChanged(source, limits, job.known, tell) : null;
  if (changed !== null) {
    const opened = await tryChanged(job, changed, limits);
    if (opened !== null) return opened;
  }
  return survey(job, readWhole(source, limits), limits, tell);
}

async function survey(
  job: PlanJob,
  reading: Reading,
  limits: Limits,
  tell: (rows: number) => void,
): Promise<OpenedFile> {
  const { settings, org, fields, now } = job;
  const found = await surveyRows(reading.open(), limits, wordingOf(org, fields), tell);
  found.rows += reading.recognized;
  if (found.header === null || found.rows === 0) return { reading, survey: found, columns: null };
  const columns = planColumns(
    found.header,
    found,
    fields,
    org.dateFormat,
    now,
    org.options.identifier,
    mostFields(settings),
  );
  return { reading, survey: found, columns: { ...columns, teamAliases: job.teamAliases } };
}

/** null: what is known of the file does not suffice to understand the rest of it. */
async function tryChanged(job: PlanJob, reading: Reading, limits: Limits): Promise<OpenedFile | null> {
  try {
    const opened = await survey(job, reading, limits, () => {});
    const { columns } = opened;
    if (columns === null || ordersOf(columns) !== job.known.form!.orders) return null;
    return (await repeatsUser(job.known, reading, opened.survey.header!)) ? null : opened;
  } catch (error) {
    // A refusal's line is right where the file is read as a whole.
    if (error instanceof RaggedError || error instanceof RefusalError) return null;
    throw error;
  }
}

/** Whether a row is about the same user as one that is left out (rule U2). */
async function repeatsUser(known: KnownRows, { open, met }: Reading, { key }: Header): Promise<boolean> {
  for await (const batch of open())
    for (const row of batch) {
      const place = known.findUser(digestOf(emailKey(addressAt(row, key) ?? '')));
      if (place >= 0 && met?.[place] === 1) return true;
    }
  return false;
}

/** How the rows are read, for known rows. */
export function formOf(header: Buffer, columns: ColumnPlan): KnownForm {
  return { header: header.toString('hex'), orders: ordersOf(columns) };
}

/** All rows of a file say together which order its dates have (rule U14): those left out must have no other. */
function ordersOf({ standard, deactivationOrder, fields }: ColumnPlan): string {
  const dates = fields.filter(({ field }) => field.type === 'date').map(({ index, order }) => `${index} ${order}`);
  return [...(standard.has('deactivationDate') ? [deactivationOrder] : []), ...dates].join(', ');
}
