/** Import hooks of a program that embeds Dropslot: a process that does not have them imports nothing without them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Settings } from '../../config/settings.js';
import { createHookSource, settleHookOrigin } from '../../operations/importhooks.js';
import type { Workplace } from '../../operations/workplace.js';
import { onBothDatabases } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';

onBothDatabases('import hooks', (open) => {
  test('those of a program, functions or a file that it names, are not left out by another process', async (t) => {
    const { control, settings } = await open(t);
    const file = join(temporaryFolder(t), 'hooks.mjs');
    writeFileSync(file, 'export const mapRow = (row) => row;');
    const withFile: Settings = { ...settings, importHooks: file };
    const start = (its: Settings, program: { hasFunctions: boolean } | null) =>
      settleHookOrigin({ settings: its, control, now: () => 1 } as Workplace, program);
    const find = (its: Settings) => createHookSource(its, control.read)();

    await start(settings, null);
    assert.equal(await find(settings), null);
    for (const [its, hasFunctions] of [
      [settings, true],
      [withFile, false],
    ] as const) {
      await start(its, { hasFunctions });
      await start(its, { hasFunctions });
      await assert.rejects(find(settings), { code: 'hooks', message: /those of the program that embeds Dropslot/ });
      await assert.rejects(start(settings, null), { code: 'refused' });
      assert.ok((await find(withFile))?.mapRows);
      // A node that only takes uploads needs none.
      await start({ ...settings, role: 'intake' }, null);
      await assert.rejects(find(settings), { code: 'hooks' });
      await start(settings, { hasFunctions: false });
      assert.equal(await find(settings), null);
    }
    await start(settings, { hasFunctions: true });
    await start(withFile, null);
    assert.equal(await find(settings), null);
  });
});
