/** An export that is announced by mail: to active admins only, in /exports for a day, and never without its mail. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSilentLogger } from '../../config/logger.js';
import { listOwnFiles } from '../../db/control/checks.js';
import { mailedExportsRoot } from '../../db/control/treelayout.js';
import { removeMailedExports } from '../../importer/schedule/retention.js';
import { addExport, runExport } from '../../operations/exports/exports.js';
import { mailExport } from '../../operations/exports/mailed.js';
import type { Workplace } from '../../operations/workplace.js';
import { Company, csv } from '../support/company.js';
import { openFresh } from '../support/databases.js';
import { openMailbox } from '../support/mailbox.js';
import { workplaceOn } from '../support/workplace.js';

test('an active admin gets a mail with the path of the export, which is removed after a day', async (t) => {
  const { mails, state, settings: smtp } = await openMailbox(t);
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t, { timeZone: 'Europe/Berlin' });
  await acme.import({
    'users.csv': csv(
      'User Email,User Name,Is Org Admin,Deactivation Date',
      'Ann@acme.test,Ann,Yes,',
      'bob@acme.test,Bob,No,',
      'gone@acme.test,Gone,Yes,2026-01-31',
    ),
  });
  const opened = await workplaceOn(t, { ...acme.databases.settings, ...smtp });
  const place: Workplace = { ...opened, now: () => acme.clock };
  const { control } = place;
  const files = () => listOwnFiles(control.read, 'acme', mailedExportsRoot);
  for (const address of ['bob@acme.test', 'gone@acme.test', 'eve@evil.test', 'x'])
    await assert.rejects(mailExport(place, 'acme', address), { code: 'refused' }, address);
  state.refuses = true;
  await assert.rejects(mailExport(place, 'acme', 'ann@acme.test'), { code: 'unavailable' });
  assert.deepEqual([await files(), mails.length], [[], 0]);
  state.refuses = false;
  const { to, path, until } = await mailExport(place, 'acme', ' ann@ACME.test', { active: true });
  assert.equal(to, 'Ann@acme.test');
  assert.ok(path !== null);
  assert.equal(until, acme.clock + 86_400_000);
  assert.match(mails[0]!.text!, new RegExp(path));
  assert.match(mails[0]!.text!.replace(/\s+/g, ' '), /before 2026-03-11 12:00 \(Europe\/Berlin\)/);
  assert.doesNotMatch(mails[0]!.text!, /bob@acme/);
  const text = await acme.read(path);
  assert.match(text, /bob@acme.test/);
  assert.doesNotMatch(text, /gone@acme.test/);
  const audited = await control.read('audit').where({ action: 'export.mailed' });
  assert.deepEqual(
    audited.map(({ subject }) => subject),
    [path],
  );
  // Other exports remain.
  const { id } = await addExport(place, 'acme', { toFolder: '/exports' });
  await runExport(place, id);
  const { paths, settings, directory } = place;
  const deps = { control, directory, paths, settings, now: () => acme.clock, logger: createSilentLogger() };
  acme.clock += 86_400_000 - 1;
  assert.equal(await removeMailedExports(deps), 0);
  acme.clock += 1;
  assert.equal(await removeMailedExports(deps), 1);
  assert.deepEqual(await files(), []);
  assert.equal((await listOwnFiles(control.read, 'acme', '/exports')).length, 2);
});
