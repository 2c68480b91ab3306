/** Collects what is wrong with one file and keeps it in the stage, so that a million mistakes need no memory. */

import { LineSet } from '../read/lineset.js';
import type { Issue, Severity } from '../types.js';
import type { Stage } from './stage.js';
import { stageIssues } from './stagedrows.js';

const batchIssues = 5000;

export class IssueLog {
  readonly counts: Record<Severity, number> = { refusal: 0, hold: 0, fault: 0, warning: 0 };
  /** Those that something is wrong with. */
  readonly lines = new LineSet();
  private waiting: Issue[] = [];

  /** @param file its place in the run. */
  constructor(
    private readonly stage: Stage,
    private readonly file: number,
  ) {}

  /** Call `flush` now and then: this only collects. */
  add(issues: readonly Issue[]): void {
    for (const issue of issues) {
      this.counts[issue.severity]++;
      if (issue.line !== null) this.lines.add(issue.line);
      this.waiting.push(issue);
    }
  }

  async flush(isEnd = false): Promise<void> {
    if (this.waiting.length === 0 || (!isEnd && this.waiting.length < batchIssues)) return;
    const batch = this.waiting;
    this.waiting = [];
    await stageIssues(
      this.stage,
      batch.map((issue) => ({ file: this.file, ...issue })),
    );
  }
}
