/** Writes the reports of a check on one file, under names that follow from the file's path. */
import { createHash } from 'node:crypto';
import type { CheckedFile, CheckKind } from '../../db/control/checks.js';
import { hasTwin } from '../../db/control/entries.js';
import { fitName, foldName, safeName } from '../../db/control/names.js';
import type { Org } from '../../db/control/orgs.js';
import { findHeldRun } from '../../db/control/runs.js';
import { reportsFolder } from '../../db/control/treelayout.js';
import type { CheckVerdict } from '../../db/control/uploads.js';
import { findReportKey } from '../../keys/pgp/keyset.js';
import type { Keep } from '../../storage/blobcommit.js';
import { contactOf } from '../contact.js';
import { escapeJson } from '../outside.js';
import { writeChanges } from '../report/changesfile.js';
import { hasRoomForRejected, nameSealed, writeRejected, writeReport, writeText } from '../report/filereport.js';
import { hasIssues } from '../report/findings.js';
import { measureRoom } from '../report/room.js';
import { withSchema } from '../report/schema.js';
import { summarizeFile } from '../report/summary.js';
import type { RunDeps } from '../run/deps.js';
import type { UploadSource } from '../run/order.js';
import { jitterOf, nextSlotOf } from '../schedule/jitter.js';
import type { RunSummary } from '../types.js';
import { summarizeTrial, type TrialPlan } from './trialplan.js';
import { describeVerdict } from './verdict.js';

/** Bytes of a dash, eight digits and `.dry-run.rejected.csv`. */
const endingBytes = 30;

/** Files of one organization that were planned together. */
export interface PlannedCheck {
  org: Org;
  kind: CheckKind;
  plan: TrialPlan;
  /** In the order of the plan. */
  sources: readonly UploadSource[];
}

/** Seals the reports on one of the files that were planned together. */
export async function writeCheckReports(
  deps: Pick<RunDeps, 'settings' | 'paths' | 'control'>,
  { org, kind, plan, sources }: PlannedCheck,
  file: number,
  keep: Keep,
): Promise<CheckedFile> {
  const { upload, source } = sources[file]!;
  const planned = plan.planned[file]!;
  const { recipient, options } = org;
  const room = await measureRoom(deps, org, 1);
  const encryptTo = await findReportKey(deps.control.read, org.id, options.reportsTo);
  const { settings, paths: folders } = deps;
  const reportDeps = { settings, paths: folders, stage: plan.stage, recipient, encryptTo, options, room };
  // Of two names that differ by case only, the one in small letters has the plain report name.
  const isTwin = upload.path !== foldName(upload.path) && (await hasTwin(deps.control.read, org.id, upload.path));
  const pathTo = reportPaths(upload.path, kind, plan.today, isTwin);
  const pathOf = (ending: string) => pathTo(nameSealed(ending, reportDeps));
  const contact = contactOf(org, deps.settings);
  const outcome = await summarizeFile(plan.stage, file, source, planned, { path: upload.path, contact });
  const { faults } = planned.type === 'teams' ? planned.teams : planned.users;
  const report = (await hasIssues(plan.stage, file)) ? await keep(writeReport(reportDeps, file, source)) : null;
  const hasRejected = faults > 0 && hasRoomForRejected(reportDeps, source);
  const rejected = hasRejected ? await keep(writeRejected(reportDeps, file, source, planned)) : null;
  outcome.report = report === null ? null : pathOf('csv');
  outcome.rejected = rejected === null ? null : pathOf('rejected.csv');
  const paths = sources.map((one) => one.upload.path);
  const list = await writeChanges(reportDeps, { org: org.id, files: paths, file });
  const changes = list === null ? null : await keep(Promise.resolve(list));
  outcome.changes = changes === null ? null : pathOf('changes.csv');
  const summary = summarizeTrial(kind === 'dry_run' ? 'dry_run' : 'check', org, plan, [outcome], contact);
  const slotAt =
    kind === 'dry_run' ? null : nextSlotOf(org, plan.moment, jitterOf(org, deps.settings.slotJitterMinutes));
  const beside = planned.type === null ? [] : paths.filter((_, other) => other !== file);
  const heldRun = (await findHeldRun(deps.control.read, org.id))?.id ?? null;
  const text = describeVerdict({ summary, slotAt, heldRun, beside });
  return {
    uploadId: upload.id,
    uploadPath: upload.path,
    blobId: upload.blobId,
    type: planned.type,
    rows: planned.rows,
    refused: planned.refusal !== null,
    verdict: verdictOf(summary),
    reports: [
      { path: pathOf('csv'), blob: report },
      { path: pathOf('rejected.csv'), blob: rejected },
      { path: pathOf('changes.csv'), blob: changes },
      {
        path: pathOf('json'),
        blob: await keep(
          writeText(reportDeps, `${escapeJson(JSON.stringify(withSchema({ ...summary, slotAt }), null, 2))}\n`),
        ),
      },
      { path: pathOf('txt'), blob: await keep(writeText(reportDeps, text)) },
    ],
  };
}

/** As the summary of a check has it. */
function verdictOf({ state }: RunSummary): CheckVerdict {
  return state === 'would_refuse' || state === 'would_hold' ? state : 'would_import';
}

/** The path of each report by its ending. Reports on a newer version of the file, on the same day, replace the older ones. */
function reportPaths(path: string, kind: CheckKind, today: string, isTwin: boolean): (ending: string) => string {
  const parts = path.split('/').slice(kind === 'dry_run' ? 2 : 1);
  const name = nameReports(parts, kind === 'dry_run' ? 'dry-run' : 'check', isTwin);
  return (ending) => `${reportsFolder(today)}/${name(ending)}`;
}

/**
 * The names of the reports on a file, by their endings: `/hr/users.csv` has `hr--users.check.txt`. Two paths never share one: a path
 * whose readable name could be another one's has eight digits of its hash in it.
 * @param parts of the path, the file's name last.
 * @param isTwin whether another path differs by case only, so that Windows takes their report names for the same.
 */
export function nameReports(
  parts: readonly string[],
  mark: 'check' | 'dry-run',
  isTwin = false,
): (ending: string) => string {
  const stem = parts
    .map(safeName)
    .join('--')
    .replace(/\.csv$/, '');
  const digits =
    !isTwin && isPlain(parts) ? '' : `-${createHash('sha256').update(parts.join('/')).digest('hex').slice(0, 8)}`;
  return (ending) => fitName(stem, `${digits}.${mark}.${ending}`);
}

/** Whether no other path has the same readable name. */
function isPlain(parts: readonly string[]): boolean {
  if (parts.some((part) => safeName(part) !== part)) return false;
  const name = parts.at(-1)!;
  if (!/\.csv$/i.test(name) || /\.csv\.csv$/i.test(name)) return false;
  if (Buffer.byteLength(parts.join('--')) + endingBytes > 255) return false;
  const stems = [...parts.slice(0, -1), name.replace(/\.csv$/, '')];
  return stems.every((part) => !part.includes('--') && (stems.length === 1 || !/^-|-$/.test(part)));
}
