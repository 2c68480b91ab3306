/** A check of a file that a person brings: what an import would do, each problem beside its row, and the meaning of each column. */
import { readAs } from '../importer/read/encoding.js';
import type { Row } from '../importer/read/parse.js';
import { sourceOfBytes } from '../importer/read/source.js';
import { unwrap } from '../importer/read/unwrap.js';
import { pgpContext } from '../importer/run/order.js';
import { type ColumnMapping, mapColumns } from './columnmapping.js';
import { type HeldChanges, type ProblemPage, readChanges, readLines } from './problems.js';
import { type CheckedFile, checkBytes } from './runs.js';
import type { Issue } from './runsummary.js';
import type { Workplace } from './workplace.js';

export interface CheckedUpload extends CheckedFile {
  page: ProblemPage;
  changes: HeldChanges;
  /** null: the file has no header that can be read. */
  mapping: ColumnMapping | null;
}

const shownIssues = 100;
const shownChanges = 100;

/** Applies and stores nothing. @throws OperationError `not_found`, `failed` */
export async function checkUpload(
  workplace: Workplace,
  orgId: string,
  file: { name: string; bytes: Buffer },
  signal: AbortSignal,
): Promise<CheckedUpload> {
  const org = await workplace.org(orgId);
  const { settings, control, now, identity } = workplace;
  const issues: Issue[] = [];
  let total = 0;
  let changes: HeldChanges = { rows: [], listed: 0, total: 0 };
  const checked = await checkBytes(
    workplace,
    org.id,
    file,
    {
      onIssues: (page) => {
        total += page.length;
        issues.push(...page.slice(0, shownIssues - issues.length));
      },
      onChanges: async (text) => {
        changes = await readChanges(workplace, sourceOfBytes('changes.csv', Buffer.from(text)), {
          from: 0,
          most: shownChanges,
        });
        return '';
      },
    },
    signal,
  );
  const pgp = pgpContext({ control, now }, org, () => identity(org));
  const open = () => readAs(unwrap(sourceOfBytes(file.name, file.bytes), settings, pgp), org.options.encoding);
  const lines = new Set(issues.flatMap(({ line }) => (line === null ? [] : [line])));
  const { header, cells } = await readLines(workplace, open, new Set([1, ...lines]));
  const problems = issues.map((issue) => ({
    ...issue,
    cells: issue.line === null || issue.line === 1 ? null : (cells.get(issue.line) ?? null),
  }));
  const first: Row = { line: 1, cells: header };
  const mapping = header.length === 0 ? null : await mapColumns(workplace, org, first);
  return { ...checked, page: { header, problems, total }, changes, mapping };
}
