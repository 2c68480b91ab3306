/**
 * Finds the rings of a graph in which each node has one edge upwards at most, and breaks each ring at its highest line.
 *
 * The edges are added one by one to a link-cut forest (Sleator and Tarjan), which finds in logarithmic time whether an
 * edge closes a ring, and which of the ring's edges has the highest line. Walking around each ring instead costs the
 * square of a hostile file: every edge that is dropped may bring back one that closes the next long ring.
 */

/** Edges of the nodes 1, 2, …; 0: none. The arrays are changed: `above` ends with the edges that are left. */
export interface Edges {
  /** The node to which each node's edge leads. */
  above: Int32Array;
  /** The node to which it leads once that edge is dropped; these edges alone make no ring. */
  old: Int32Array;
  /** The line that has the edge; 0: no line has it, and it can't be dropped. */
  line: Int32Array;
}

export interface Ring {
  /** The line of the edge that was dropped. */
  line: number;
  /** The nodes from that edge around to it again; the first of them at most. */
  members: number[];
  /** The lines of those nodes' edges. */
  lines: number[];
  /** Those nodes whose edge no line has. */
  kept: number[];
  /** Whether `members` goes around the whole ring. */
  isWhole: boolean;
}

const namedMembers = 20;

export function* findRings({ above, old, line }: Edges): Generator<Ring> {
  const forest = new Forest(line);
  const waiting: number[] = [];
  for (let start = 1; start < above.length; start++) {
    waiting.push(start);
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const target = above[node]!;
      if (target === 0) continue;
      if (forest.findRoot(target) !== node) {
        forest.link(node, target);
        continue;
      }
      const closing = forest.findHighest(target);
      yield describeRing(closing, above, line);
      if (closing !== node) {
        forest.cut(closing);
        forest.link(node, target);
      }
      above[closing] = old[closing]!;
      forest.clearLine(closing);
      waiting.push(closing);
    }
  }
}

/** Whether the edges of the nodes make a ring. @param above as in Edges. */
export function hasRing(above: Int32Array): boolean {
  /** By which walk each node was reached first. */
  const reached = new Int32Array(above.length);
  for (let start = 1; start < above.length; start++) {
    let node = start;
    while (node !== 0 && reached[node] === 0) {
      reached[node] = start;
      node = above[node]!;
    }
    if (node !== 0 && reached[node] === start) return true;
  }
  return false;
}

function describeRing(closing: number, above: Int32Array, line: Int32Array): Ring {
  if (line[closing] === 0) throw new Error('a ring that no line of the file closes');
  const members = [closing];
  do members.push(above[members.at(-1)!]!);
  while (members.at(-1) !== closing && members.length < namedMembers);
  const isWhole = members.length > 1 && members.at(-1) === closing;
  const once = isWhole ? members.slice(0, -1) : members;
  return {
    line: line[closing]!,
    members,
    lines: once.map((member) => line[member]!).filter((one) => one > 0),
    kept: once.filter((member) => line[member] === 0),
    isWhole,
  };
}

/** Trees of nodes, each path of them in a splay tree by depth; all of it in arrays of numbers. */
class Forest {
  readonly #parent: Int32Array;
  readonly #shallower: Int32Array;
  readonly #deeper: Int32Array;
  /** The node with the highest line in a splay tree. */
  readonly #highest: Int32Array;

  readonly #line: Int32Array;

  /** @param line of each node's edge. */
  constructor(line: Int32Array) {
    this.#line = line;
    this.#parent = new Int32Array(line.length);
    this.#shallower = new Int32Array(line.length);
    this.#deeper = new Int32Array(line.length);
    this.#highest = Int32Array.from(line, (_, node) => node);
  }

  findRoot(node: number): number {
    this.#expose(node);
    let root = node;
    while (this.#shallower[root] !== 0) root = this.#shallower[root]!;
    this.#splay(root);
    return root;
  }

  /** On the way from a node to its root, both included. */
  findHighest(node: number): number {
    this.#expose(node);
    return this.#highest[node]!;
  }

  /** @param node a root. */
  link(node: number, above: number): void {
    this.#expose(node);
    this.#parent[node] = above;
  }

  cut(node: number): void {
    this.#expose(node);
    this.#parent[this.#shallower[node]!] = 0;
    this.#shallower[node] = 0;
    this.#update(node);
  }

  clearLine(node: number): void {
    this.#expose(node);
    this.#line[node] = 0;
    this.#update(node);
  }

  /** Makes the way from the root to the node one splay tree, with the node on top and nothing deeper in it. */
  #expose(node: number): void {
    let below = 0;
    for (let at = node; at !== 0; at = this.#parent[at]!) {
      this.#splay(at);
      this.#deeper[at] = below;
      this.#update(at);
      below = at;
    }
    this.#splay(node);
  }

  #splay(node: number): void {
    while (!this.#isTop(node)) {
      const parent = this.#parent[node]!;
      if (!this.#isTop(parent)) {
        const grandparent = this.#parent[parent]!;
        const isStraight = (this.#shallower[parent] === node) === (this.#shallower[grandparent] === parent);
        this.#rotate(isStraight ? parent : node);
      }
      this.#rotate(node);
    }
  }

  #rotate(node: number): void {
    const parent = this.#parent[node]!;
    const grandparent = this.#parent[parent]!;
    const [near, far] =
      this.#shallower[parent] === node ? [this.#shallower, this.#deeper] : [this.#deeper, this.#shallower];
    const moved = far[node]!;
    near[parent] = moved;
    if (moved !== 0) this.#parent[moved] = parent;
    far[node] = parent;
    if (this.#shallower[grandparent] === parent) this.#shallower[grandparent] = node;
    else if (this.#deeper[grandparent] === parent) this.#deeper[grandparent] = node;
    this.#parent[parent] = node;
    this.#parent[node] = grandparent;
    this.#update(parent);
    this.#update(node);
  }

  #isTop(node: number): boolean {
    const parent = this.#parent[node]!;
    return parent === 0 || (this.#shallower[parent] !== node && this.#deeper[parent] !== node);
  }

  #update(node: number): void {
    let highest = node;
    for (const child of [this.#shallower[node]!, this.#deeper[node]!]) {
      const candidate = this.#highest[child]!;
      if (child !== 0 && this.#line[candidate]! > this.#line[highest]!) highest = candidate;
    }
    this.#highest[node] = highest;
  }
}
