/** Rows that a hook maps: time is linear in the columns, and a header that no row could be mapped under stays as it was sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapEach } from '../../../importer/hooks/eachrow.js';
import { mapRows } from '../../../importer/read/maprows.js';
import type { Row } from '../../../importer/read/parse.js';

const limits = { maxRows: 1e6, maxColumns: 1e6, maxCellBytes: 1e6 };

async function mapped(
  rows: string[][],
  mapRow: (row: Record<string, string>) => Record<string, string>,
): Promise<Row[]> {
  async function* batches(): AsyncGenerator<Row[]> {
    yield rows.map((cells, index) => ({ line: index + 1, cells }));
  }
  const all: Row[] = [];
  for await (const batch of mapRows(batches(), { map: mapEach(mapRow), digest: '' }, limits)) all.push(...batch);
  return all;
}

/** Processor time: linear takes 200 ms, quadratic minutes. */
const boundMs = 10_000;

test('time is linear in the columns', async () => {
  const labels = Array.from({ length: 60_000 }, (_, index) => `Label ${index}`);
  const before = process.cpuUsage();
  const rows = await mapped([labels, ...Array.from({ length: 3 }, () => labels)], (row) => row);
  const { user, system } = process.cpuUsage(before);
  assert.equal(rows.length, 4);
  assert.deepEqual(rows[3]!.cells, labels);
  assert.ok((user + system) / 1000 < boundMs, `${(user + system) / 1000} ms`);
});

test('where no row can be mapped, the header stays as it was sent, with its blank labels', async () => {
  const sent = ['User Email', '', '', 'City'];
  const rows = await mapped([sent, ['a@x.test', '1', '2', 'Bonn']], () => {
    throw new Error('never');
  });
  assert.deepEqual(rows[0]!.cells, sent);
  assert.deepEqual([rows[1]!.cells, rows[1]!.problem?.code], [['a@x.test', '1', '2', 'Bonn'], 'hook_fault']);
  // A row that can be mapped after a thousand that cannot has the columns of that header.
  const many = Array.from({ length: 1_001 }, (_, index) => [`${index}@x.test`, '', '', 'Ulm']);
  const later = await mapped([sent, ...many], (row) => {
    if (row['User Email'] !== '1000@x.test') throw new Error('not yet');
    return { City: 'Bonn', 'User Email': 'last@x.test' };
  });
  assert.deepEqual(later.at(-1)!.cells, ['last@x.test', '', '', 'Bonn']);
});
