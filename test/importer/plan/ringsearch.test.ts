/** Breaking rings: against walking around each of them, and on the shapes that make that slow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Edges, findRings, hasRing } from '../../../importer/plan/ringsearch.js';
import { fc } from '../../support/properties.js';

interface Node {
  above: number;
  /** Of those before it in `rank`, so that the old edges make no ring. */
  old: number;
  isChanged: boolean;
  rank: number;
}

const most = 9;
const node = fc.record<Node>({
  above: fc.integer({ min: 0, max: most }),
  old: fc.integer({ min: 0, max: most }),
  isChanged: fc.boolean(),
  rank: fc.integer(),
});

test('U9 T3: the edges that walking around each ring would drop', () => {
  const agree = (nodes: Node[]) => {
    const [edges, walked] = [edgesOf(nodes), edgesOf(nodes)];
    const isRing = hasRing(edges.above);
    const rings = [...findRings(edges)];
    assert.equal(isRing, rings.length > 0);
    const byLine = (a: number, b: number) => a - b;
    assert.deepEqual(rings.map(({ line }) => line).sort(byLine), walkRings(walked).sort(byLine));
    assert.deepEqual(edges.above, walked.above);
    for (const { line, members, lines } of rings) {
      assert.equal(members.at(-1), members[0]);
      assert.equal(Math.max(...lines), line);
    }
  };
  fc.assert(fc.property(fc.array(node, { maxLength: most }), agree), { numRuns: 3000 });
});

const size = 100_000;
const shapes: Record<
  string,
  [above: (n: number) => number, old: (n: number) => number, line: (n: number) => number, rings: number]
> = {
  'a chain': [(n) => n - 1, () => 0, (n) => n, 0],
  'one ring': [(n) => (n % size) + 1, () => 0, (n) => n, 1],
  'a chain turned around but for its end': [
    (n) => (n === 1 ? 2 : n - 1),
    (n) => (n + 1) % (size + 1),
    (n) => (n === 1 ? 0 : n),
    size - 1,
  ],
  'a ring of people who all had one manager': [(n) => (n % size) + 1, (n) => (n > 2 ? 2 : 0), (n) => n, size - 1],
};

for (const [shape, [above, old, line, expected]] of Object.entries(shapes)) {
  test(`${shape} of 100,000 takes no time`, () => {
    const fill = (of: (n: number) => number) => Int32Array.from({ length: size + 1 }, (_, n) => (n === 0 ? 0 : of(n)));
    let rings = 0;
    for (const _ of findRings({ above: fill(above), old: fill(old), line: fill(line) })) rings++;
    assert.equal(rings, expected);
  });
}

function edgesOf(nodes: Node[]): Edges {
  const count = nodes.length;
  const edges = { above: new Int32Array(count + 1), old: new Int32Array(count + 1), line: new Int32Array(count + 1) };
  for (const [place, { above, old, isChanged, rank }] of nodes.entries()) {
    const number = place + 1;
    const before = old <= count && old > 0 && nodes[old - 1]!.rank < rank ? old : 0;
    const changes = isChanged && above > 0 && above <= count && above !== number && above !== before;
    edges.above[number] = changes ? above : before;
    edges.old[number] = changes ? before : 0;
    edges.line[number] = changes ? number : 0;
  }
  return edges;
}

/** Rings of one node after the other, walked around, until there are none; the lines that were dropped. */
function walkRings({ above, old, line }: Edges): number[] {
  const dropped: number[] = [];
  // What a dropped edge gives way to may close a ring of nodes that were looked at before.
  for (let start = 1; start < above.length; start++) {
    const ring = [start];
    while (above[ring.at(-1)!]! !== 0 && ring.length < above.length) {
      ring.push(above[ring.at(-1)!]!);
      if (ring.at(-1) === start) break;
    }
    if (ring.length === 1 || ring.at(-1) !== start) continue;
    const closing = ring.reduce((last, one) => (line[one]! > line[last]! ? one : last));
    dropped.push(line[closing]!);
    above[closing] = old[closing]!;
    line[closing] = 0;
    start = 0;
  }
  return dropped;
}
