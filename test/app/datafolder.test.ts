/** A data folder that this user may not open is not taken for an empty one. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasData } from '../../app/datafolder.js';
import { pathsOf } from '../../config/paths.js';
import { temporaryFolder } from '../support/temporary.js';

const nobody = 65534;

/** As the user `nobody`, where this process may become it; else as itself. */
function asOther<T>(work: () => T): T {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid!(nobody);
  try {
    return work();
  } finally {
    process.seteuid!(0);
  }
}

test('names the owner of a closed folder, at any depth', (t) => {
  const top = temporaryFolder(t);
  const data = join(top, 'closed', 'data');
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'control.db'), '');
  const has = () => hasData({ database: 'sqlite' }, pathsOf({ data }));
  assert.equal(has(), true);
  chmodSync(top, 0o755);
  for (const closed of [data, join(top, 'closed')]) {
    chmodSync(closed, 0);
    try {
      assert.throws(() => asOther(has), /can't open the data in .*data: .*belongs to \w+, and this command runs as/);
    } finally {
      chmodSync(closed, 0o755);
    }
  }
});

test('a folder without data has none', (t) => {
  const data = temporaryFolder(t);
  assert.equal(hasData({ database: 'sqlite' }, pathsOf({ data })), false);
  assert.equal(hasData({ database: 'sqlite' }, pathsOf({ data: join(data, 'absent') })), false);
  assert.equal(hasData({ database: 'postgres://x' }, pathsOf({ data })), true);
});
