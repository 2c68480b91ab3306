/** `dropslot doctor` as scripts and people run it: what it prints where, and how it ends. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { askDropslot, runDropslot } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const dayMs = 24 * 60 * 60 * 1000;

test('examines in depth, mends when it is told to, and exits with 1 on what is left', async (t) => {
  const data = temporaryFolder(t);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  const whole = await runDropslot(['doctor', '--deep', '--json'], { data });
  assert.deepEqual([whole.code, whole.stderr], [0, '']);
  assert.equal(JSON.parse(whole.stdout).whole, true);
  // No key can log in, which is a warning.
  const strict = await runDropslot(['doctor', '--strict'], { data });
  assert.deepEqual([strict.code, /found \d+ warnings?/.test(strict.stderr)], [1, true]);

  const shelf = join(data, 'blobs', 'ab');
  mkdirSync(shelf, { recursive: true, mode: 0o700 });
  const orphan = join(shelf, 'ab'.repeat(16));
  writeFileSync(orphan, 'x', { mode: 0o600 });
  const before = new Date(Date.now() - dayMs);
  utimesSync(orphan, before, before);
  chmodSync(join(data, 'control.db'), 0o644);
  chmodSync(join(data, 'keys'), 0o755);

  const told = await runDropslot(['doctor'], { data });
  assert.equal(told.code, 1);
  assert.match(told.stdout, /WRONG {4}.*keys: others may read it \(mode 755\): chmod 700/);
  assert.match(told.stderr, /"dropslot doctor --mend" can repair 2 of them/);
  const unasked = await runDropslot(['doctor', '--mend'], { data });
  assert.equal(unasked.code, 4);
  assert.ok(existsSync(orphan));
  const mended = await runDropslot(['doctor', '--mend', '--yes'], { data });
  assert.equal(mended.code, 0, mended.stderr);
  assert.match(mended.stdout, /2 problems repaired\.$/m);
  assert.ok(!existsSync(orphan));
});
