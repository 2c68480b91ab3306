/** Bounds the issues of one code in the report on a file: the others are counted, and their rows rejected, as before. */
import type { Settings } from '../../config/settings.js';

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
