/** A hook that never returns ends the command that called it, with a message; the run is left for the next importer. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { askDropslot, runDropslot } from '../support/program.js';
import { temporaryFolder } from '../support/temporary.js';

const hooks: readonly [name: string, code: string, message: RegExp][] = [
  ['mapRow', 'export function mapRow(row) { for (;;); }', /hook mapRow did not return within 0\.2 s/],
  [
    'beforeImport, after a pause of its own',
    'export async function beforeImport() { await null; for (;;); }',
    /hook beforeImport did not return within 0\.2 s.* This process applied nothing of the file\. Correct the file of importHooks/,
  ],
];

test('dropslot check and import end where a hook keeps the processor; without it they work again', async (t) => {
  const data = temporaryFolder(t);
  await askDropslot(['orgs', 'add', 'acme', '--owner', 'jane@acme.test', '--enable'], { data });
  const file = join(data, 'users.csv');
  writeFileSync(file, 'User Email\nann@acme.test\n');
  const module = join(data, 'hooks.mjs');
  const env = { DROPSLOT_IMPORT_HOOKS: module, DROPSLOT_IMPORT_HOOK_SECONDS: '0.2' };
  for (const [name, code, message] of hooks) {
    writeFileSync(module, code);
    const { code: exit, stderr } = await runDropslot(['check', 'acme', file], { data, env });
    // Ended by SIGKILL: no other signal reaches a thread that is kept.
    assert.equal(exit, null, name);
    assert.match(stderr, message);
  }
  // The hook that is called without a file to import.
  writeFileSync(module, 'export function afterApply() { for (;;); }');
  const ended = await runDropslot(['import', 'acme'], { data, env });
  assert.equal(ended.code, null);
  assert.match(ended.stderr, /hook afterApply did not return.* The run remains applied/);
  assert.deepEqual(
    (await askDropslot<{ state: string }[]>(['runs', 'list', 'acme'], { data })).map(({ state }) => state),
    ['done'],
  );
  writeFileSync(module, 'export const mapRow = (row) => row;');
  assert.equal((await runDropslot(['check', 'acme', file], { data, env })).code, 0);
});
