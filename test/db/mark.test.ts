/** The mark of the last commit: a file that can't be read is no missing one, and nothing that it knew is forgotten. */
import assert from 'node:assert/strict';
import fs, { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ControlMark } from '../../db/control/mark.js';
import { openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';

const hash = 'f'.repeat(64);
const closed = (upload: number) => {
  const detail = { upload };
  return [{ at: 0, org: 'acme', actor: 'system', action: 'upload.closed', subject: '/users.csv', detail }];
};

function openMark(t: TestContext): { mark: ControlMark; file: string } {
  const file = join(temporaryFolder(t), 'control.mark');
  const mark = new ControlMark(file);
  t.after(() => mark.close());
  return { mark, file };
}

const stored = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

test('a mark that is there and can not be read stops the opening, and is not written over', async (t) => {
  const { control } = await openFresh(t, 'sqlite');
  const { mark, file } = openMark(t);
  mkdirSync(file);
  const refused = { code: 'unavailable', message: /control\.mark can't be read .*: make sure that it is a file/ };
  await assert.rejects(mark.examine(control, 0), refused);
  assert.throws(() => mark.note({ seq: 1, hash }, closed(1)), refused);
  rmdirSync(file);
  await mark.examine(control, 0);
  assert.equal(mark.isKnown, false);
  mark.note({ seq: 1, hash }, closed(1));
  assert.equal(mark.isKnown, true);
});

test('a damaged mark counts as none at the start, and as the last one that was read later', async (t) => {
  const { control } = await openFresh(t, 'sqlite');
  const { mark, file } = openMark(t);
  writeFileSync(file, '{"seq":1,');
  await mark.examine(control, 0);
  assert.equal(mark.isKnown, false);
  mark.note({ seq: 7, hash }, closed(9));
  for (const [index, damage] of ['', '{"seq":', 'null', '[]'.padEnd(1024)].entries()) {
    writeFileSync(file, damage);
    const seq = 8 + index;
    mark.note({ seq, hash }, closed(3));
    const { upload, lost } = stored(file);
    assert.deepEqual([stored(file).seq, upload, lost], [seq, 9, null], damage);
  }
});

test('an error of the disk forgets neither a loss nor the highest numbers', async (t) => {
  const { control } = await openFresh(t, 'sqlite');
  const { mark, file } = openMark(t);
  writeFileSync(file, JSON.stringify({ seq: 40, hash, upload: 12, run: 5, lost: null }));
  await mark.examine(control, 77);
  assert.equal(mark.lost?.uploads, 12);
  const reading = t.mock.method(fs, 'readSync', () => {
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  });
  syncBuiltinESMExports();
  t.after(() => {
    reading.mock.restore();
    syncBuiltinESMExports();
  });
  mark.note({ seq: 50, hash }, closed(13));
  assert.ok(reading.mock.callCount() > 0);
  assert.equal(mark.lost?.uploads, 12);
  const { seq, upload, run, lost } = stored(file);
  assert.deepEqual([seq, upload, run, lost.uploads, lost.at], [50, 13, 5, 12, 77]);
});
