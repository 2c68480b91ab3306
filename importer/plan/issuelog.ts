/** Collects the issues of one file, counts them, and writes them into the stage in batches: memory holds one batch. Refuses a file with too many faults. */
import type { Settings } from '../../config/settings.js';
import type { Stage } from '../../db/stage.js';
import { insertRows, run } from '../../db/stagesql.js';
import { isOncePerColumn, RefusalError, refuse } from '../codes.js';
import { LineSet } from '../read/lineset.js';
import { ownText } from '../read/owntext.js';
import type { Issue, Severity } from '../types.js';

/** An issue of the `file`th file of the run. */
export interface StagedIssue extends Omit<Issue, 'severity'> {
  file: number;
  /** Its place among the issues of its line; absent: the next one. */
  n?: number;
  severity: string;
  /** The report has enough of its code. */
  isOmitted?: true;
}

const batchIssues = 5000;
/** More than the issues of a file's header and columns. */
const mostBefore = 1_000_000;

export class IssueLog {
  readonly counts: Record<Severity, number> = { refusal: 0, hold: 0, fault: 0, warning: 0, notice: 0 };
  /** Lines with an issue. */
  readonly lines = new LineSet();
  readonly #stage: Stage;
  readonly #file: number;
  readonly #limit: IssueLimit;
  #waiting: (Issue & Pick<StagedIssue, 'isOmitted' | 'n'>)[] = [];
  #before = 0;
  /** Code and column of the issues that a file has once for each column. */
  readonly #columns = new Set<string>();

  /** @param file its position in the run. */
  constructor(stage: Stage, file: number, settings: Pick<Settings, 'maxReportedIssues'>) {
    this.#limit = new IssueLimit(settings);
    this.#stage = stage;
    this.#file = file;
  }

  /** As add; the report has them before all others of their lines. */
  addBefore(issues: readonly Issue[]): void {
    // The stage numbers the others from 1 on.
    this.add(issues.map((issue) => ({ ...issue, n: this.#before++ - (this.#file + 1) * mostBefore })));
  }

  /** Keeps the issues in memory until `flush` is called. */
  add(issues: readonly (Issue & Pick<StagedIssue, 'n'>)[]): void {
    for (const issue of issues) {
      if (issue.line !== null) this.lines.add(issue.line);
      if (isOncePerColumn(issue.code)) {
        const column = `${issue.code} ${issue.column}`;
        if (this.#columns.has(column)) continue;
        this.#columns.add(column);
      }
      this.counts[issue.severity]++;
      this.#waiting.push(this.#limit.apply(withOwnTexts(issue)));
    }
  }

  /** Adds a page of findings, each as an issue, and writes full batches. */
  async addPage<T>(findings: readonly T[], toIssue: (finding: T) => Issue): Promise<void> {
    this.add(findings.map(toIssue));
    await this.flush();
  }

  /** Writes the collected issues once they make a batch, or `isEnd` says that no more come. */
  async flush(isEnd = false): Promise<void> {
    if (this.#waiting.length === 0 || (!isEnd && this.#waiting.length < batchIssues)) return;
    const batch = this.#waiting;
    this.#waiting = [];
    await stageIssues(
      this.#stage,
      batch.map((issue) => ({ file: this.#file, ...issue })),
    );
  }
}

function withOwnTexts(issue: Issue): Issue {
  const { message, value } = issue;
  return { ...issue, message: ownText(message), value: value === null ? null : ownText(value) };
}

/** Bounds the issues of one code in the report on a file: the others are counted, and their rows rejected, as before. */
export class IssueLimit {
  readonly #most: number;
  readonly #counts = new Map<string, number>();

  constructor({ maxReportedIssues }: Pick<Settings, 'maxReportedIssues'>) {
    this.#most = maxReportedIssues;
  }

  /** Marks the issue where the report has as many of its code as it may. */
  apply<I extends { code: string }>(issue: I): I & { isOmitted?: true } {
    const count = (this.#counts.get(issue.code) ?? 0) + 1;
    this.#counts.set(issue.code, count);
    return count > this.#most ? { ...issue, isOmitted: true } : issue;
  }
}

/** Writes issues into the stage; line 0 stands for the whole file. */
export async function stageIssues(stage: Stage, issues: readonly StagedIssue[]): Promise<void> {
  const texts = ['col TEXT', 'severity TEXT', 'code TEXT', 'message TEXT', 'value TEXT'];
  const columns = ['file INT', 'line INT', ...texts, 'omitted INT'];
  const toRow = ({ file, line, column, severity, code, message, value, isOmitted }: StagedIssue) => [
    ...[file, line ?? 0, column, severity, code, message, value, isOmitted === true ? 1 : 0],
  ];
  const [numbered, others] = [issues.filter(({ n }) => n !== undefined), issues.filter(({ n }) => n === undefined)];
  const numberedRows = numbered.map((issue) => [issue.n, ...toRow(issue)]);
  await insertRows(stage, 'issues', ['n BIGINT', ...columns], numberedRows);
  await insertRows(stage, 'issues', columns, others.map(toRow));
}

/** Deletes the issues of a file that is to be planned again. */
export function deleteIssues(stage: Stage, file: number): Promise<void> {
  return run(stage, `DELETE FROM ${stage.prefix}.issues WHERE file = :file`, { file });
}

/** Smaller numbers of faults never refuse a file. */
const fewestFaults = 20;

/** @throws RefusalError when more than `maxFaultShare` of the rows are faulty (rule G2). */
export function refuseFaulty(faults: number, rows: number, { maxFaultShare }: Pick<Settings, 'maxFaultShare'>): void {
  if (faults >= fewestFaults && faults > rows * maxFaultShare)
    throw new RefusalError(refuse('too_many_faults', { faults, rows }));
}
