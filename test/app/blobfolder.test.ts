/** The start of a node on PostgreSQL (the server of TEST_POSTGRES_URL) that does not share the folder of sealed files. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startServices } from '../../app/services.js';
import { createSilentLogger } from '../../config/logger.js';
import { pathsOf } from '../../config/paths.js';
import { folderNoteName } from '../../storage/folderclaim.js';
import { openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';
import { examine, workplaceOn } from '../support/workplace.js';

test('it does not start, and commands that only read the database work', async (t) => {
  const { settings } = await openFresh(t, 'postgres');
  const services = await startServices({ ...settings, port: 0, role: 'intake' }, createSilentLogger());
  t.after(() => services.stop());
  const apart = { ...settings, data: temporaryFolder(t), port: 0 };
  await assert.rejects(startServices(apart, createSilentLogger()), {
    code: 'unavailable',
    message: /is not the folder in which this database has its sealed files/,
  });
  await workplaceOn(t, apart);
  const findings = await examine(apart);
  assert.ok(findings.some(({ level, message }) => level === 'wrong' && /is not the folder/.test(message)));
});

test('the doctor tells that its note cannot be read, and goes on', async (t) => {
  const { settings } = await openFresh(t, 'postgres');
  const services = await startServices({ ...settings, port: 0, role: 'intake' }, createSilentLogger());
  await services.stop();
  const note = join(pathsOf(settings).blobs, folderNoteName);
  rmSync(note);
  mkdirSync(note);
  const findings = await examine(settings);
  const told = findings.find(({ message }) => message.includes(note));
  assert.equal(told?.level, 'wrong');
  assert.match(told.message, /can't be read/);
  assert.ok(findings.some(({ check }) => check === 'machine'));
});
