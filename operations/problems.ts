/** The problems of an imported file, each beside the cells of its row, as the reports of the run have them. */
import { createHash } from 'node:crypto';
import type { Org } from '../db/control/orgs.js';
import { RefusalError } from '../importer/codes.js';
import { readAs } from '../importer/read/encoding.js';
import { readCell, unguardFormula } from '../importer/read/formulaguard.js';
import type { Row } from '../importer/read/parse.js';
import { openRows } from '../importer/read/rowstream.js';
import type { Source } from '../importer/read/source.js';
import { unwrap } from '../importer/read/unwrap.js';
import { pgpContext } from '../importer/run/order.js';
import type { FileOutcome, Issue, Severity } from '../importer/types.js';
import { SpaceError } from '../storage/types.js';
import { readFileContent } from './files.js';
import { type Run, type RunSummary, summaryOf } from './runsummary.js';
import type { Workplace } from './workplace.js';

export type { FileOutcome, RunSummary };

export interface ProblemRow extends Issue {
  /** The cells of its row, in the order of the header; null: it has no row, or the file can't be read any more. */
  cells: string[] | null;
}

export interface ProblemPage {
  /** The labels of the file; empty: unknown. */
  header: string[];
  problems: ProblemRow[];
  /** Of those that fit the filter. */
  total: number;
}

export interface ProblemFilter {
  code?: string | undefined;
  /** How many are left out before the first one. */
  from: number;
  most: number;
}

/** A run of an extraordinary file: the page says so, and offers the report itself. */
const mostLines = 200_000;

/**
 * Reads the report of a file, and its rows from the archive; recorded in the audit trail as the reading of both.
 * null: there is no report that can be read: none was written, it was removed since, or it is encrypted to the customer's key.
 */
export async function listProblemRows(
  workplace: Workplace,
  org: Org,
  file: FileOutcome,
  filter: ProblemFilter,
): Promise<ProblemPage | null> {
  if (file.report === null || !/\.csv$/i.test(file.report)) return null;
  const found: Issue[] = [];
  let total = 0;
  const known = countKnown(file, filter.code);
  const report = readStored(workplace, org, file.report);
  try {
    for await (const row of rowsOf(workplace, report)) {
      if (row.line === 1 || total > mostLines) continue;
      const issue = toIssue(row.cells);
      if (filter.code !== undefined && issue.code !== filter.code) continue;
      if (total++ >= filter.from && found.length < filter.most) found.push(issue);
      if (known !== null && found.length === filter.most) break;
    }
  } catch (error) {
    if (error instanceof SpaceError) return null;
    throw error;
  }
  const { header, cells } = await readRowsOf(workplace, org, file, found);
  const problems = found.map((issue) => ({
    ...issue,
    cells: issue.line === null ? null : (cells.get(issue.line) ?? null),
  }));
  return { header, problems, total: known ?? total };
}

/** How many problems a filter fits, by the counts of the summary; null: it does not have all kinds. */
function countKnown({ problems = [], moreProblems = false }: FileOutcome, code: string | undefined): number | null {
  if (moreProblems) return null;
  const fitting = problems.filter((problem) => code === undefined || problem.code === code);
  return fitting.reduce((sum, { count }) => sum + count, 0);
}

interface Lines {
  header: string[];
  /** By the number of the line. */
  cells: Map<number, string[]>;
}

/** Lines further down in a file are shown without their cells: a page must not wait for a file of a hundred megabytes. */
const mostScannedBytes = 4 * 1024 * 1024;

/** Rejected rows from their own small file, the others from the archive. */
async function readRowsOf(workplace: Workplace, org: Org, file: FileOutcome, issues: readonly Issue[]): Promise<Lines> {
  const linesOf = (fits: (issue: Issue) => boolean) =>
    new Set(issues.filter(fits).flatMap(({ line }) => (line === null ? [] : [line])));
  const rejected = linesOf(({ severity }) => severity === 'fault');
  const found = await readRejected(workplace, org, file, rejected);
  const others = linesOf(({ line }) => line !== null && !found.cells.has(line));
  const path = file.archivedAs ?? file.path ?? null;
  if (path === null || (others.size === 0 && found.header.length > 0)) return found;
  const { settings, control, now, identity } = workplace;
  const pgp = pgpContext({ control, now }, org, () => identity(org));
  const open = () => readAs(unwrap(readStored(workplace, org, path), settings, pgp), org.options.encoding);
  const { header, cells } = await readLines(workplace, open, others, mostScannedBytes);
  return { header: found.header.length > 0 ? found.header : header, cells: new Map([...cells, ...found.cells]) };
}

/** From the file of rejected rows: its last two columns are the problem and the line. */
async function readRejected(
  workplace: Workplace,
  org: Org,
  { rejected }: FileOutcome,
  lines: ReadonlySet<number>,
): Promise<Lines> {
  const found: Lines = { header: [], cells: new Map() };
  if (rejected === null || !/\.csv$/i.test(rejected) || lines.size === 0) return found;
  try {
    for await (const { cells, faulty } of rowsOf(workplace, readStored(workplace, org, rejected))) {
      if (found.header.length === 0) found.header = cells.slice(0, -2).map((cell) => readCell(cell));
      else if (faulty === undefined && cells.length === found.header.length + 2) {
        const line = Number(cells.at(-1));
        if (lines.has(line))
          found.cells.set(
            line,
            cells.slice(0, -2).map((cell) => readCell(cell)),
          );
        if (found.cells.size === lines.size) break;
      }
    }
  } catch (error) {
    if (!(error instanceof SpaceError || error instanceof RefusalError)) throw error;
  }
  return found;
}

function toIssue([line = '', column = '', severity = '', code = '', message = '', value = '']: string[]): Issue {
  return {
    line: line === '' ? null : Number(line),
    column: column === '' ? null : unguardFormula(column),
    severity: severity as Severity,
    code,
    message: unguardFormula(message),
    value: value === '' ? null : unguardFormula(value),
  };
}

/**
 * The cells of some lines, by their number. A file that was removed since, or does not parse, has none.
 * @param most the reading ends after so many bytes
 */
export async function readLines(
  workplace: Workplace,
  open: () => Promise<Source>,
  lines: ReadonlySet<number>,
  most = Number.POSITIVE_INFINITY,
): Promise<Lines> {
  const found: Lines = { header: [], cells: new Map() };
  const last = Math.max(...lines);
  let bytes = 0;
  try {
    for await (const { line, cells } of rowsOf(workplace, await open())) {
      if (found.header.length === 0) found.header = cells;
      bytes += cells.reduce((sum, cell) => sum + cell.length + 1, 0);
      if (line > last || bytes > most) break;
      if (lines.has(line)) found.cells.set(line, cells);
    }
  } catch (error) {
    if (!(error instanceof SpaceError || error instanceof RefusalError)) throw error;
  }
  return found;
}

async function* rowsOf({ settings }: Workplace, source: Source): AsyncGenerator<Row> {
  for await (const batch of openRows(source, settings)) yield* batch;
}

const pieceBytes = 32 * 1024;

/** So small that a reader that has enough rows has not parsed a megabyte for them. */
async function* inPieces(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks)
    for (let at = 0; at < chunk.length; at += pieceBytes) yield chunk.subarray(at, at + pieceBytes);
}

/** A stored file as a source of rows. */
function readStored(workplace: Workplace, org: Org, path: string): Source {
  return {
    name: path.slice(path.lastIndexOf('/') + 1),
    bytes: 0,
    sha256: createHash('sha256').update(path).digest('hex'),
    open: () => inPieces(readFileContent(workplace, org.id, path)),
  };
}

/** Everything that a run wrote or took, which its people may download. */
export function filesOf(run: Run): string[] {
  const summary = summaryOf(run);
  if (summary === null) return [];
  const own = summary.files.flatMap(({ report, rejected, archivedAs, changes = null }) => [
    report,
    rejected,
    archivedAs,
    changes,
  ]);
  return [...own, summary.changes ?? null, ...(run.hold?.reports ?? [])].filter((path) => path !== null);
}

/** The changes that a held run would make, from the list that was written when they were counted. */
export interface HeldChanges {
  /** Who, column, before, after, kind (user, team, field). */
  rows: { who: string; column: string; before: string; after: string; kind: string }[];
  /** How many the list has: it has a bound. */
  listed: number;
  /** With those that the list leaves out. */
  total: number;
}

/** null: there is no list that can be read. */
export async function listHeldChanges(
  workplace: Workplace,
  org: Org,
  run: Run,
  page: { from: number; most: number },
): Promise<HeldChanges | null> {
  const path = summaryOf(run)?.changes ?? null;
  if (path === null || !/\.csv$/i.test(path)) return null;
  try {
    return await readChanges(workplace, readStored(workplace, org, path), page);
  } catch (error) {
    if (error instanceof SpaceError) return null;
    throw error;
  }
}

/** Of a list of changes, as reports have it. */
export async function readChanges(
  workplace: Workplace,
  list: Source,
  { from, most }: { from: number; most: number },
): Promise<HeldChanges> {
  const rows: HeldChanges['rows'] = [];
  let [listed, left] = [0, 0];
  for await (const { line, cells } of rowsOf(workplace, list)) {
    if (line === 1) continue;
    const [who = '', column = '', before = '', after = '', kind = ''] = cells.map(unguardFormula);
    if (kind === '') left = countLeft(who);
    else if (listed++ >= from && rows.length < most) rows.push({ who, column, before, after, kind });
  }
  return { rows, listed, total: listed + left };
}

/** Of the last row of a list that has reached its bound: `and 2,000 more`. */
function countLeft(text: string): number {
  return Number(/^and ([\d,]+) more$/.exec(text)?.[1]?.replaceAll(',', '') ?? 0);
}
