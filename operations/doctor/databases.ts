/** Checks the databases in depth: every page, every reference, and that both have the same imported uploads. */
import { findStates, listImported } from '../../db/control/imported.js';
import { walkUnrecorded } from '../../db/control/uploadrecords.js';
import { filterApplied, listApplied } from '../../db/directory/applied.js';
import { checkIntegrity } from '../../db/integrity.js';
import { beginPhase, type OnAdvance } from '../advance.js';
import { proveAudit } from '../audit.js';
import { describeMisfits } from '../databases.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';

const pageSize = 500;
/** More of one kind are counted, not listed. */
const listedUploads = 20;

/** Whether the databases belong together as they are, and the control database has all that it committed. */
export async function examinePair(workplace: Workplace): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { paths, settings } = workplace;
  const report = reporter(findings, 'databases', settings.database === 'sqlite' ? paths.data : 'PostgreSQL');
  for (const sentence of await describeMisfits(workplace)) report('wrong', sentence);
  if (findings.length === 0) report('ok', 'both databases belong together');
  return findings;
}

/** `quick`: every page, but not that each index has the rows of its table; a page that is intact is not mentioned. */
export async function examinePages(
  { control, directory, paths }: Workplace,
  kind: 'quick' | 'full',
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [db, file] of [
    [control, paths.control],
    [directory, paths.directory],
  ] as const) {
    if (db.dialect !== 'sqlite' || db.withheld !== undefined) continue;
    const report = reporter(findings, 'databases', file);
    const complaints = await checkIntegrity(db, kind);
    if (complaints.length === 0 && kind === 'full') report('ok', 'every page is intact');
    for (const complaint of complaints) report('wrong', `damaged: ${complaint}; restore it from the backup`);
  }
  return findings;
}

/** Each upload that may be imported later must have its record in the audit trail. */
export async function examineUploadRecords({ control }: Pick<Workplace, 'control'>): Promise<Finding[]> {
  const findings: Finding[] = [];
  for await (const { id, org, path } of walkUnrecorded(control.read)) {
    if (findings.length === listedUploads) {
      reporter(findings, 'audit', 'audit trail')('wrong', 'more uploads have no record: see "dropslot audit verify"');
      break;
    }
    reporter(
      findings,
      'audit',
      `${org} ${path}`,
    )(
      'wrong',
      `upload ${id} has no record in the audit trail with its content, and is not imported: find out who wrote to the database; if the file is right, "dropslot files requeue ${org} ${path}" gives it a record`,
    );
  }
  return findings;
}

/** The chain of the audit trail. */
export async function examineAudit(workplace: Workplace, onProgress: OnAdvance = () => {}): Promise<Finding[]> {
  const findings: Finding[] = [];
  const report = reporter(findings, 'audit', 'audit trail');
  const { head, flaws, flawCount } = await proveAudit(workplace, null, (records) =>
    onProgress({
      ...beginPhase('reading the audit trail'),
      amount: `${records} records`,
      done: records,
      unit: 'records',
    }),
  );
  const [first] = flaws;
  if (first === undefined) {
    report('ok', `${head.count} records, chained without a gap`);
    return findings;
  }
  const where = first.seq === null ? '' : `record ${first.seq}: `;
  const more = flawCount > 1 ? `, and ${flawCount - 1} more` : '';
  report('wrong', `${where}${first.what}${more}; see "dropslot audit verify"`);
  return findings;
}

/**
 * An upload is imported exactly when the directory has applied it. Where that is not so, one database was restored
 * without the other. Beside a running importer the side is read first that is written last.
 */
export async function compareImports({ control, directory }: Workplace): Promise<Finding[]> {
  const findings: Finding[] = [];
  const lost: number[] = [];
  for (let after = 0; ; ) {
    const ids = await listImported(control.read, after, pageSize);
    const applied = await filterApplied(directory.read, ids);
    lost.push(...ids.filter((id) => !applied.has(id)));
    if (ids.length < pageSize) break;
    after = ids.at(-1)!;
  }
  const ahead: number[] = [];
  for (let after = 0; ; ) {
    const page = await listApplied(directory.read, after, pageSize);
    const states = await findStates(
      control.read,
      page.map(({ uploadId }) => uploadId),
    );
    for (const { uploadId, runId } of page) {
      const upload = states.get(uploadId);
      if (upload === undefined || upload.state === 'imported') continue;
      if (upload.state !== 'running' || upload.runId !== runId) ahead.push(uploadId);
    }
    if (page.length < pageSize) break;
    after = page.at(-1)!.uploadId;
  }
  const report = reporter(findings, 'databases', 'imports');
  if (lost.length + ahead.length === 0) report('ok', 'both databases have the same imported uploads');
  if (lost.length > 0)
    report('wrong', `${describe(lost)}: imported, and not in the directory: was one database restored alone?`);
  if (ahead.length > 0)
    report('wrong', `${describe(ahead)}: in the directory, and not imported: was one database restored alone?`);
  return findings;
}

function describe(ids: readonly number[]): string {
  const more = ids.length > listedUploads ? ` and ${ids.length - listedUploads} more` : '';
  return `upload ${ids.slice(0, listedUploads).join(', ')}${more}`;
}
