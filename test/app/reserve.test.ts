/** The start on a full disk: with the reserve at once, without it when there is space; the operator is told. */
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { keepReserve, startOnFullDisk } from '../../app/reserve.js';
import { keepingLogger } from '../support/session.js';
import { temporaryFolder } from '../support/temporary.js';

const mebi = 1024 ** 2;

/** A disk with so much free space. */
function sizeDisk(t: TestContext, free: { bytes: number }): void {
  const original = fs.statfs;
  fs.statfs = (async () => ({ bavail: free.bytes, bsize: 1 })) as never;
  syncBuiltinESMExports();
  t.after(() => {
    fs.statfs = original;
    syncBuiltinESMExports();
  });
}

test('a full disk: the reserve is given up, then the start waits for space', async (t) => {
  const data = temporaryFolder(t);
  const reserve = join(data, 'reserve');
  const free = { bytes: 10 * mebi };
  sizeDisk(t, free);
  await keepReserve(data);
  assert.equal(existsSync(reserve), false, 'not where space is short');
  free.bytes = 1024 * mebi;
  await keepReserve(data);
  assert.deepEqual([statSync(reserve).size, statSync(reserve).mode & 0o777], [4 * mebi, 0o600]);
  free.bytes = 0;
  const { logger, lines } = keepingLogger();
  let attempts = 0;
  const work = async () => {
    attempts++;
    if (attempts < 4) throw new Error('SQLITE_FULL: database or disk is full');
    return 'started';
  };
  assert.equal(await startOnFullDisk(data, logger, () => false, work, 1), 'started');
  assert.equal(existsSync(reserve), false);
  assert.match(lines[0]!, /starts with the space that it had in reserve. Free some space/);
  assert.match(lines[1]!, /the disk is full, and the server can't start; it tries again/);
  assert.equal(lines.length, 3);
});

test('another failure, or a signal to stop, ends the start', async (t) => {
  const data = temporaryFolder(t);
  const free = { bytes: 1024 * mebi };
  sizeDisk(t, free);
  const { logger } = keepingLogger();
  const work = () => Promise.reject(new Error('port in use'));
  await assert.rejects(
    startOnFullDisk(data, logger, () => false, work, 1),
    /port in use/,
  );
  free.bytes = 0;
  let isStopping = false;
  const stopped = startOnFullDisk(data, logger, () => isStopping, work, 1);
  isStopping = true;
  await assert.rejects(stopped, /port in use/);
});
