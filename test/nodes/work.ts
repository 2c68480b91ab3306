/** Which build took how many uploads, and worked on how many runs, in a round. */
import type { Workplace } from '../../operations/workplace.js';
import type { Build } from './build.js';
import type { TestNode } from './node.js';

/** By the name of the build. */
export type Work = Record<string, { uploads: number; runs: number }>;

export class WorkOfBuilds {
  readonly #nodes: readonly TestNode[];
  readonly #uploads = new Map<string, number>();
  readonly #runs = new Map<string, Set<number>>();

  constructor(nodes: readonly TestNode[]) {
    this.#nodes = nodes;
  }

  noteUpload({ name }: Build): void {
    this.#uploads.set(name, (this.#uploads.get(name) ?? 0) + 1);
  }

  hasUpload({ name }: Build): boolean {
    return this.#uploads.has(name);
  }

  /** Those that importers have at this moment: a short run may be missed. */
  async noteRuns({ control }: Workplace): Promise<void> {
    const rows: { id: number; lease_owner: string }[] = await control
      .read('runs')
      .where({ state: 'running' })
      .whereNotNull('lease_owner')
      .select('id', 'lease_owner');
    for (const { id, lease_owner } of rows) {
      // host:process:random, of the server that the importer belongs to.
      const pid = Number(lease_owner.split(':')[1]);
      const build = this.#nodes.map(({ builds }) => builds.get(pid)).find((found) => found !== undefined);
      if (build !== undefined) this.#runs.set(build.name, (this.#runs.get(build.name) ?? new Set()).add(id));
    }
  }

  count(): Work {
    const names = [...new Set([...this.#uploads.keys(), ...this.#runs.keys()])].sort();
    return Object.fromEntries(
      names.map((name) => [name, { uploads: this.#uploads.get(name) ?? 0, runs: this.#runs.get(name)?.size ?? 0 }]),
    );
  }
}

export function addWork(sum: Work, more: Work): void {
  for (const [name, { uploads, runs }] of Object.entries(more)) {
    const before = sum[name] ?? { uploads: 0, runs: 0 };
    sum[name] = { uploads: before.uploads + uploads, runs: before.runs + runs };
  }
}
