/** Compares what a session left behind with what it should have left. */
import { createHash } from 'node:crypto';
import { destinationOf } from '../../storage/filename.js';
import { Unexpected } from './script.js';
import type { Tree } from './tree.js';

/** Every content that each path ever had: of a session that was thrown out nobody knows how far it came. */
export class History {
  readonly #contents = new Map<string, Set<Buffer>>();

  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  note(): void {
    for (const [path, content] of this.#tree.files()) {
      const known = this.#contents.get(path) ?? new Set();
      this.#contents.set(path, known.add(content));
    }
  }

  had(path: string, content: Buffer): boolean {
    return [...(this.#contents.get(path) ?? [])].some((known) => known.equals(content));
  }
}

/**
 * `history`: null where everything that was sent was done.
 * @throws Unexpected
 */
export function judgeTree(
  found: ReadonlyMap<string, Buffer | null>,
  queue: readonly string[],
  tree: Tree,
  history: History | null,
): void {
  for (const [path, content] of found)
    if (content !== null && isStray(path, content, tree, history)) complain(path, content, tree);
  if (history === null)
    for (const [path, node] of tree.nodes)
      if (found.has(path) === false || (found.get(path) === null) !== (node === null))
        throw new Unexpected(`${path} should be there${node === null ? ', a folder' : ` (${digestOf(node)})`}`);
  const queueable = [...found]
    .filter(([path, content]) => content !== null && destinationOf(path, {}) === 'queued')
    .map(([path]) => path);
  if (queueable.sort().join('\n') !== queue.join('\n'))
    throw new Unexpected(`queued are ${queue.join(', ')}; complete files are ${queueable.join(', ')}`);
  if (history === null && found.size !== tree.nodes.size)
    throw new Unexpected(`${found.size} names instead of ${tree.nodes.size}: ${[...found.keys()].join(', ')}`);
}

function isStray(path: string, content: Buffer, tree: Tree, history: History | null): boolean {
  return history === null ? tree.file(path)?.equals(content) !== true : !history.had(path, content);
}

function complain(path: string, content: Buffer, tree: Tree): never {
  const expected = tree.file(path);
  throw new Unexpected(
    `${path} has ${digestOf(content)}, should have ${expected === null ? 'nothing' : digestOf(expected)}`,
  );
}

function digestOf(content: Buffer): string {
  return `${content.length} bytes (SHA-256 ${createHash('sha256').update(content).digest('hex').slice(0, 12)}…)`;
}
