/** One run from top to bottom: claim the files, stage, plan, apply, report, archive. Safe to be killed on any line. */
import type { Logger } from '../config/logger.js';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import { freeName } from '../db/control/entries.js';
import { findOrg, type Org } from '../db/control/orgs.js';
import type { Run } from '../db/control/runs.js';
import { type Settlement, settleRun } from '../db/control/settle.js';
import { claimUploads } from '../db/control/uploads.js';
import { applyPlan, findApplied } from '../db/directory/apply.js';
import { readVersion } from '../db/directory/directory.js';
import { listFields } from '../db/directory/fields.js';
import { indexIssues } from '../db/directory/findings.js';
import { dropStages, openStage, type Stage } from '../db/directory/stage.js';
import { DatabaseError } from '../db/error.js';
import { removeBlob } from '../storage/blob.js';
import { sumFiles } from './counts.js';
import { ImportError } from './error.js';
import { orderSources, type UploadSource } from './order.js';
import { type Outcome, openSettlement, sealSettlement } from './outcome.js';
import { type PlanJob, type PlannedFile, planFiles } from './plan.js';
import { type ReportDeps, writeRejected, writeReport, writeText } from './report.js';
import { describeRun } from './summary.js';
import { dateIn } from './time.js';
import type { FileOutcome, Progress, RunSummary } from './types.js';

export interface RunDeps {
  settings: Settings;
  paths: Paths;
  control: Db;
  directory: Db;
  logger: Logger;
  /** The organization's age identities as they are now, one a line. @throws KeyError */
  identity: (org: Org) => Promise<string>;
  now: () => number;
  /** Told each step that a crash can separate from the next: for tests that kill the process there. */
  onStep?: (step: RunStep) => void | Promise<void>;
}

export type RunStep = 'claimed' | 'planned' | 'reported' | 'applied' | 'settled';

type Report = Settlement['reports'][number];

/** Times that a plan is made anew because the directory changed under it. */
const planAttempts = 5;

/**
 * Works on a claimed run until it is settled. A run that was applied before a crash is only settled.
 * @param tell is told the progress; it throws ImportError when the run must be left alone.
 * @returns the summary; null when another importer settled the run.
 */
export async function workRun(deps: RunDeps, run: Run, tell: (progress: Progress) => void): Promise<RunSummary | null> {
  const { control, directory, now, onStep } = deps;
  const org = await findOrg(control.read, run.org);
  if (org === null) throw new Error(`run ${run.id} is of an organization that is gone`);
  // A run has one importer: whoever else was at work on it has lost its lease, or died, and its stage ends with it.
  await dropStages(deps.settings, directory, (label) => label.startsWith(labelOf(run)));
  const applied = (await findApplied(directory.read, run.id)) as Outcome | null;
  const settlement =
    applied === null
      ? await importQueue(deps, run, org, tell)
      : await openSettlement(applied, () => deps.identity(org));
  tell({ phase: 'archiving', file: null, rows: 0 });
  const isSettled = await settleRun(control, run, settlement, now());
  await onStep?.('settled');
  return isSettled ? (settlement.summary as RunSummary) : null;
}

function labelOf(run: Run): string {
  return `run_${run.id}_`;
}

async function importQueue(deps: RunDeps, run: Run, org: Org, tell: (progress: Progress) => void): Promise<Settlement> {
  const uploads = await deps.control.write.transaction((tx) => claimUploads(tx, org.id, run.id));
  await deps.onStep?.('claimed');
  if (uploads.length === 0) return { reports: [], uploads: [], summary: summarize(deps, run, org, deps.now(), []) };
  const sources = await orderSources(deps, () => deps.identity(org), uploads);
  for (let attempt = 1; ; attempt++) {
    const stage = await openStage(deps.settings, deps.directory, `${labelOf(run)}${run.attempts}`);
    try {
      return await planAndApply(deps, run, org, sources, stage, tell);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      if (error.code !== 'conflict') throw error;
      if (attempt === planAttempts) throw new ImportError('contended', error.message, { cause: error });
    } finally {
      await stage.drop();
    }
  }
}

async function planAndApply(
  deps: RunDeps,
  run: Run,
  org: Org,
  sources: readonly UploadSource[],
  stage: Stage,
  tell: (progress: Progress) => void,
): Promise<Settlement> {
  const { directory, settings, now, onStep } = deps;
  const version = await readVersion(directory.read, org.id);
  const moment = now();
  const job: PlanJob = {
    settings,
    stage,
    org,
    today: dateIn(org.timeZone, moment),
    now: moment,
    fields: await listFields(directory.read, org.id),
    tell,
  };
  const planned = await planFiles(
    job,
    sources.map(({ source }) => source),
  );
  await onStep?.('planned');

  const uploads = sources.flatMap(({ upload }, file) =>
    planned[file]!.refusal === null ? [{ file, uploadId: upload.id }] : [],
  );
  const reports: Report[] = [];
  let isSubmitted = false;
  try {
    const settlement = await writeReports(deps, run, org, sources, planned, job, reports);
    await onStep?.('reported');
    tell({ phase: 'applying', file: null, rows: 0 });
    const outcome = await sealSettlement(org.recipient, settlement);
    isSubmitted = true;
    await applyPlan(stage, { org: org.id, runId: run.id, uploads, version, now: moment, outcome });
    await onStep?.('applied');
    return settlement;
  } catch (error) {
    // Whoever else applied this run names its own reports; these are nobody's. But a commit whose answer was lost may
    // have taken place, and then it names these: they are left to the sweep of orphans, which knows by then.
    if (!isSubmitted || error instanceof DatabaseError)
      for (const { blob } of reports) await removeBlob(deps.paths, blob.id);
    throw error;
  }
}

/**
 * Seals the reports before anything is applied: what is applied then names reports that exist, and a crash after it
 * leaves nothing to be worked out again. Nobody sees them before the run is settled.
 * @param reports gets each as it is sealed, so that the caller can remove them when this or the rest fails.
 */
async function writeReports(
  deps: RunDeps,
  run: Run,
  org: Org,
  sources: readonly UploadSource[],
  planned: readonly PlannedFile[],
  { stage, today, now: moment, tell }: PlanJob,
  reports: Report[],
): Promise<Settlement> {
  const { settings, paths, control } = deps;
  const reportDeps: ReportDeps = { settings, paths, stage, recipient: org.recipient };
  const uploads: Settlement['uploads'][number][] = [];
  const files: FileOutcome[] = [];
  const taken = new Map<string, Set<string>>();
  const place = async (dir: string, name: string) => {
    const used = taken.get(dir) ?? new Set();
    const free = await freeName(control.read, org.id, dir, name, used);
    taken.set(dir, used.add(free));
    return `${dir}/${free}`;
  };
  await indexIssues(stage);
  for (const [file, { source, upload }] of sources.entries()) {
    const plan = planned[file]!;
    tell({ phase: 'reporting', file: source.name, rows: plan.rows });
    const archivedAs = await place(`/archive/${today}`, source.name);
    const stem = archivedAs.slice(archivedAs.lastIndexOf('/') + 1).replace(/\.csv$/i, '');
    const report = await place(`/reports/${today}`, `${stem}.report.csv`);
    reports.push({ path: report, blob: await writeReport(reportDeps, file) });
    let rejected: string | null = null;
    if (plan.users.faults + plan.teams.faults > 0) {
      rejected = await place(`/reports/${today}`, `${stem}.rejected.csv`);
      reports.push({ path: rejected, blob: await writeRejected(reportDeps, file, source, plan) });
    }
    const state = plan.refusal === null ? 'imported' : 'refused';
    uploads.push({ id: upload.id, state, archivedAs });
    files.push({ ...outcomeOf(source.name, source, plan), uploadId: upload.id, archivedAs, report, rejected });
  }
  const summary = summarize(deps, run, org, moment, files);
  for (const [kind, text] of [
    ['txt', describeRun(summary)],
    ['json', `${JSON.stringify(summary, null, 2)}\n`],
  ] as const) {
    const path = await place(`/reports/${today}`, `run-${run.id}.summary.${kind}`);
    reports.push({ path, blob: await writeText(reportDeps, text) });
  }
  return { reports, uploads, summary };
}

/** What is known of a file before it has a place in the archive. */
export function outcomeOf(
  name: string,
  { bytes, sha256 }: { bytes: number; sha256: string },
  plan: PlannedFile,
): FileOutcome {
  const { type, refusal, rows, users, teams } = plan;
  const state = refusal === null ? 'imported' : 'refused';
  return {
    uploadId: null,
    name,
    type,
    state,
    refusal,
    bytes,
    sha256,
    rows,
    users,
    teams,
    archivedAs: null,
    report: null,
    rejected: null,
  };
}

function summarize(deps: RunDeps, run: Run, org: Org, moment: number, files: FileOutcome[]): RunSummary {
  return {
    run: run.id,
    org: org.id,
    kind: run.kind,
    date: dateIn(org.timeZone, moment),
    timeZone: org.timeZone,
    startedAt: run.startedAt ?? moment,
    appliedAt: deps.now(),
    ...sumFiles(files),
    files,
  };
}
