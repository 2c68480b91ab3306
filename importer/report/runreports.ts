/** Writes the reports of a run: one for each file, the rejected rows, and the summary; for a run to apply and for a held one. */
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import { fitName, maxNameBytes } from '../../db/control/names.js';
import type { Org } from '../../db/control/orgs.js';
import type { Run } from '../../db/control/runs.js';
import type { Settlement } from '../../db/control/settle.js';
import { archiveFolder, reportsFolder } from '../../db/control/treelayout.js';
import type { UploadRow } from '../../db/control/uploads.js';
import type { Stage } from '../../db/stage.js';
import { findReportKey } from '../../keys/pgp/keyset.js';
import type { Keep } from '../../storage/blobcommit.js';
import { splitPath } from '../../storage/path.js';
import { contactOf } from '../contact.js';
import type { PlannedFile } from '../plan/planfile.js';
import type { Source } from '../read/source.js';
import { dateIn } from '../schedule/calendar.js';
import type { FileOutcome, HoldReason, Progress, RunSummary } from '../types.js';
import { writeChanges } from './changesfile.js';
import { hasRoomForRejected, writeRejected, writeReport } from './filereport.js';
import { countIssues, hasIssues, indexIssues } from './findings.js';
import { ReportSet, summaryEndings } from './reportset.js';
import { measureRoom } from './room.js';
import { summarizeFile, summarizeRun } from './summary.js';

export interface RunReportDeps {
  control: Db;
  paths: Paths;
  settings: Settings;
  now: () => number;
}

/** The planned files of a run, with all that their reports need. */
export interface PlannedRun {
  run: Run;
  org: Org;
  sources: readonly { upload: UploadRow; source: Source }[];
  /** In the order of the sources. */
  planned: readonly PlannedFile[];
  stage: Stage;
  /** The import's date, yyyy-mm-dd, and the moment it was planned for (ms). */
  today: string;
  moment: number;
  reportProgress: (progress: Progress) => void;
}

/**
 * Seals the reports before anything is applied: the apply then names reports that exist, and a crash after it leaves
 * nothing to be worked out again. No client sees them before the run is settled.
 */
export async function writeRunReports(deps: RunReportDeps, plan: PlannedRun, keep: Keep): Promise<Settlement> {
  const { run, org, sources, planned, stage, reportProgress } = plan;
  const mayHaveIssues = planned.map((one) => mayHaveIssue(org, one));
  const hasAnyIssue = mayHaveIssues.includes(true) && (await indexIssues(stage));
  // Without issues there is no report but the summary: the storage need not be measured.
  const room = hasAnyIssue ? await measureRoom(deps, org, sources.length) : { leftBytes: 0 };
  const encryptTo = await findReportKey(deps.control.read, org.id, org.options.reportsTo);
  const fileDeps = { ...deps, stage, recipient: org.recipient, encryptTo, options: org.options, room };
  const set = new ReportSet({ ...deps, org, keep, encryptTo });
  const contact = contactOf(org, deps.settings);
  const date = dateIn(org.timeZone, deps.now());
  const [archive, folder] = [archiveFolder(date), reportsFolder(date)];
  const summaryStem = `run-${run.id}.summary`;
  const summaryNames = summaryEndings.map((ending) => set.nameOf(`${summaryStem}${ending}`));
  await set.lookFor(
    new Map([
      [archive, sources.map(({ source }) => source.name)],
      [folder, summaryNames],
    ]),
  );
  const hasFields = planned.some(({ hasNewFields }) => hasNewFields);
  const uploads: Settlement['uploads'][number][] = [];
  const files: FileOutcome[] = [];
  for (const [file, { source, upload }] of sources.entries()) {
    const filePlan = planned[file]!;
    reportProgress({ phase: 'reporting', file: source.name, rows: filePlan.rows });
    const archivedAs = await set.reserve(archive, source.name);
    const stem = stemOf(splitPath(archivedAs).name);
    const reportOn = () => writeReport(fileDeps, file, source);
    const isTold = hasAnyIssue && mayHaveIssues[file]! && (await hasIssues(stage, file));
    const report = isTold ? await set.add(folder, `${stem}.report.csv`, reportOn, archive) : null;
    const hasFaults = filePlan.users.faults + filePlan.teams.faults > 0 && hasRoomForRejected(fileDeps, source);
    const write = () => writeRejected(fileDeps, file, source, filePlan);
    const rejected = hasFaults ? await set.add(folder, `${stem}.rejected.csv`, write, archive) : null;
    const state = filePlan.refusal === null ? 'imported' : 'refused';
    uploads.push({ id: upload.id, state, archivedAs });
    const places = { uploadId: upload.id, archivedAs, report, rejected };
    const told = { path: upload.path, contact, hasIssues: isTold, hasFields };
    files.push({ ...(await summarizeFile(stage, file, source, filePlan, told)), ...places });
  }
  const note = run.approval?.note ?? null;
  const summary = { ...summarizeRun(plan, files, contact), appliedAt: deps.now(), note };
  await set.addSummary(folder, summaryStem, summary);
  const issues = hasAnyIssue && deps.settings.monitor !== undefined ? { issues: await countIssues(stage) } : {};
  return { reports: set.reports, uploads, summary, ...issues };
}

/** false: the stage need not be asked: users and teams that only cells name, and absences, are told once all files are planned. */
function mayHaveIssue({ options }: Org, { hasIssues: has, users, teams }: PlannedFile): boolean {
  return has || users.stubs + teams.stubs > 0 || options.omission !== undefined;
}

/** As writeRunReports, of a run that is held: its files stay queued under their paths, and the reports' names say `held`. */
export async function writeHeldReports(
  deps: RunReportDeps,
  plan: PlannedRun,
  hold: HoldReason[],
  keep: Keep,
): Promise<Pick<Settlement, 'reports'> & { summary: RunSummary }> {
  const { run, org, sources, planned, stage } = plan;
  const room = await measureRoom(deps, org, sources.length);
  const encryptTo = await findReportKey(deps.control.read, org.id, org.options.reportsTo);
  const fileDeps = { ...deps, stage, recipient: org.recipient, encryptTo, options: org.options, room };
  const set = new ReportSet({ ...deps, org, keep, encryptTo });
  const contact = contactOf(org, deps.settings);
  const folder = reportsFolder(dateIn(org.timeZone, deps.now()));
  const files: FileOutcome[] = [];
  await indexIssues(stage);
  for (const [file, { source, upload }] of sources.entries()) {
    const name = `${stemOf(source.name)}.held.csv`;
    const report = await set.add(folder, name, () => writeReport(fileDeps, file, source));
    const outcome = await summarizeFile(stage, file, source, planned[file]!, { path: upload.path, contact });
    const state = outcome.state === 'refused' ? 'refused' : 'held';
    files.push({ ...outcome, state, uploadId: upload.id, report });
  }
  const paths = sources.map(({ upload }) => upload.path);
  const list = await writeChanges(fileDeps, { org: org.id, files: paths });
  const changes = list === null ? null : await set.add(folder, `run-${run.id}.changes.csv`, async () => list);
  const summary: RunSummary = { ...summarizeRun(plan, files, contact), state: 'held', hold, changes };
  await set.addSummary(folder, `run-${run.id}.held`, summary);
  return { reports: set.reports, summary };
}

/** Bytes for the longest ending of a report's name, `.superseded-99999.csv`, rounded up. */
const endingBytes = 30;

/** A file's name without `.csv`, and with room for an ending; the names of its reports begin with it. */
export function stemOf(name: string): string {
  return fitName(name.replace(/\.csv$/i, ''), '', maxNameBytes - endingBytes);
}
