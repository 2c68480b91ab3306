/** What a run leaves for its settling: sealed reports with their names, where each file goes, the summary. */
import { freeName } from '../../db/control/entries.js';
import type { Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import type { Settlement } from '../../db/control/settle.js';
import type { Stage } from '../../db/stage.js';
import { sumFiles } from '../counts.js';
import type { PlannedFile } from '../plan/planfile.js';
import type { Source } from '../read/source.js';
import { indexIssues, listNewFields } from '../report/findings.js';
import { type ReportDeps, writeRejected, writeReport, writeText } from '../report/report.js';
import { describeRun } from '../report/summary.js';
import { dateIn } from '../schedule/calendar.js';
import type { FileOutcome, HoldReason, Progress, RunSummary } from '../types.js';
import type { UploadSource } from './order.js';
import type { RunDeps } from './run.js';

export type Report = Settlement['reports'][number];

/** A plan, and what is to be told of it. */
export interface PlannedRun {
  run: Run;
  org: Org;
  sources: readonly UploadSource[];
  planned: readonly PlannedFile[];
  stage: Stage;
  /** The import's date, yyyy-mm-dd, and the moment it was planned for (ms). */
  today: string;
  moment: number;
  tell: (progress: Progress) => void;
}

/**
 * Seals the reports before anything is applied: what is applied then names reports that exist, and a crash after it
 * leaves nothing to be worked out again. Nobody sees them before the run is settled.
 * @param reports gets each as it is sealed, so that the caller can remove them when this or the rest fails.
 */
export async function writeReports(deps: RunDeps, plan: PlannedRun, reports: Report[]): Promise<Settlement> {
  const { run, org, sources, planned, stage, tell } = plan;
  const reportDeps = { ...deps, stage, recipient: org.recipient, options: org.options };
  const place = createPlacer(deps, org);
  const date = dateIn(org.timeZone, deps.now());
  const uploads: Settlement['uploads'][number][] = [];
  const files: FileOutcome[] = [];
  await indexIssues(stage);
  for (const [file, { source, upload }] of sources.entries()) {
    const filePlan = planned[file]!;
    tell({ phase: 'reporting', file: source.name, rows: filePlan.rows });
    const archive = `/archive/${date}`;
    const archivedAs = await place(archive, source.name);
    const stem = archivedAs.slice(archivedAs.lastIndexOf('/') + 1).replace(/\.csv$/i, '');
    const keep = async (kind: string, write: () => Promise<Report['blob']>) => {
      const name = `${stem}.${kind}.csv`;
      const path = await place(`/reports/${date}`, name);
      reports.push({ path, alsoAs: await place(archive, name), blob: await write() });
      return path;
    };
    const report = await keep('report', () => writeReport(reportDeps, file, source));
    const hasFaults = filePlan.users.faults + filePlan.teams.faults > 0;
    const rejected = hasFaults ? await keep('rejected', () => writeRejected(reportDeps, file, source, filePlan)) : null;
    const state = filePlan.refusal === null ? 'imported' : 'refused';
    uploads.push({ id: upload.id, state, archivedAs });
    files.push({
      ...(await outcomeOf(stage, file, source, filePlan)),
      uploadId: upload.id,
      archivedAs,
      report,
      rejected,
    });
  }
  const summary = { ...summarize(deps, plan, files), note: run.approval?.note ?? null };
  await writeSummary(reportDeps, `/reports/${date}`, `run-${run.id}.summary`, summary, place, reports);
  return { reports, uploads, summary };
}

/** As writeReports, of a run that is held: the files stay where they are, and the reports say so in their names. */
export async function writeHeldReports(
  deps: RunDeps,
  plan: PlannedRun,
  hold: HoldReason[],
  reports: Report[],
): Promise<RunSummary> {
  const { run, org, sources, planned, stage } = plan;
  const reportDeps = { ...deps, stage, recipient: org.recipient, options: org.options };
  const place = createPlacer(deps, org);
  const folder = `/reports/${dateIn(org.timeZone, deps.now())}`;
  const files: FileOutcome[] = [];
  await indexIssues(stage);
  for (const [file, { source, upload }] of sources.entries()) {
    const report = await place(folder, `${source.name.replace(/\.csv$/i, '')}.held.csv`);
    reports.push({ path: report, blob: await writeReport(reportDeps, file, source) });
    const outcome = await outcomeOf(stage, file, source, planned[file]!);
    const state = outcome.state === 'refused' ? 'refused' : 'held';
    files.push({ ...outcome, state, uploadId: upload.id, report });
  }
  const summary: RunSummary = { ...summarize(deps, plan, files), state: 'held', hold };
  await writeSummary(reportDeps, folder, `run-${run.id}.held`, summary, place, reports);
  return summary;
}

export type Placer = (folder: string, name: string) => Promise<string>;

/** Gives names that are free now, and that it has not given before. */
export function createPlacer({ control }: Pick<RunDeps, 'control'>, org: Pick<Org, 'id'>): Placer {
  const taken = new Map<string, Set<string>>();
  return async (folder, name) => {
    const used = taken.get(folder) ?? new Set();
    const free = await freeName(control.read, org.id, folder, name, used);
    taken.set(folder, used.add(free));
    return `${folder}/${free}`;
  };
}

/** The summary for people and for programs. */
export async function writeSummary(
  deps: Pick<ReportDeps, 'paths' | 'recipient'>,
  folder: string,
  stem: string,
  summary: RunSummary,
  place: Placer,
  reports: Report[],
): Promise<void> {
  for (const [kind, text] of [
    ['txt', describeRun(summary)],
    ['json', `${JSON.stringify(summary, null, 2)}\n`],
  ] as const) {
    const path = await place(folder, `${stem}.${kind}`);
    reports.push({ path, blob: await writeText(deps, text) });
  }
}

/** What is known of a file before it has a place in the archive. */
export async function outcomeOf(
  stage: Stage,
  file: number,
  { name, bytes, sha256 }: Source,
  plan: PlannedFile,
): Promise<FileOutcome> {
  const { type, refusal, rows, users, teams } = plan;
  const state = refusal === null ? 'imported' : 'refused';
  const newFields = refusal === null ? await listNewFields(stage, file) : [];
  const nowhere = { archivedAs: null, report: null, rejected: null };
  return { uploadId: null, name, type, state, refusal, bytes, sha256, rows, users, teams, ...nowhere, newFields };
}

export function summarize(
  deps: Pick<RunDeps, 'now'>,
  { run, org, today, moment }: Pick<PlannedRun, 'run' | 'org' | 'today' | 'moment'>,
  files: FileOutcome[],
): RunSummary {
  return {
    run: run.id,
    org: org.id,
    kind: run.kind,
    state: 'applied',
    hold: [],
    note: null,
    date: today,
    timeZone: org.timeZone,
    startedAt: run.startedAt ?? moment,
    appliedAt: deps.now(),
    ...sumFiles(files),
    files,
  };
}
