/** The issues of a check for people: those that differ only in their lines are one, with the number of the others. */
import { describeProblem, type Issue } from '../../operations/runsummary.js';

interface Kind {
  first: Issue;
  count: number;
}

export class IssueKinds {
  readonly #kinds = new Map<string, Kind>();
  readonly #most: number;
  /** Issues of kinds that are not listed. */
  left = 0;

  /** @param most kinds that are listed at most. */
  constructor(most: number) {
    this.#most = most;
  }

  add(page: readonly Issue[]): void {
    for (const issue of page) {
      const { severity, code, column, message } = issue;
      const key = JSON.stringify([severity, code, column, message]);
      const kind = this.#kinds.get(key);
      if (kind !== undefined) kind.count++;
      else if (this.#kinds.size < this.#most) this.#kinds.set(key, { first: issue, count: 1 });
      else this.left++;
    }
  }

  /** In the order of their first lines. */
  list(): Issue[] {
    return [...this.#kinds.values()].map(({ first, count }) => ({
      ...first,
      message: describeProblem({ message: first.message, line: first.line, count }),
    }));
  }
}
