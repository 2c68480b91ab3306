/** Issues that wait to be written hold no more than their own texts in memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { settingsSchema } from '../../../config/settings.js';
import { makeIssue } from '../../../importer/codes.js';
import { IssueLog } from '../../../importer/plan/issuelog.js';
import { readRows } from '../../../importer/read/parse.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

test('an issue keeps its value, and not the chunk of the file that had it', async () => {
  const settings = settingsSchema.parse({});
  const log = new IssueLog({} as never, 0, settings);
  const chunk = Buffer.from('nobody at example.test,x\n'.repeat(2_500));
  async function* file() {
    yield Buffer.from('User Email,x\n');
    for (let n = 0; n < 1_000; n++) yield chunk;
  }
  const heap = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  for await (const [row] of readRows(file(), file, settings)) {
    const where = { line: row!.line, column: 'User Email', value: row!.cells[0]! };
    log.add([makeIssue('email_invalid', where, { label: 'User Email', reason: '' })]);
  }
  const grown = heap() - before;
  assert.equal(log.counts.fault, 1_001);
  assert.ok(grown < 8_000_000, `${grown} bytes`);
});
