/** The process that makes scheduled backups: it makes one that is due, notes a failure, and is ended by a stop. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { startBackupSchedule } from '../../app/backupschedule.js';
import { createSilentLogger } from '../../config/logger.js';
import { type BackupScheduleState, readBackupSchedule } from '../../db/control/backupschedule.js';
import { readBackupJob, requestBackup } from '../../operations/backup/request.js';
import type { Workplace } from '../../operations/workplace.js';
import { noteMade } from '../support/backupclaim.js';
import { openFresh } from '../support/databases.js';
import { temporaryFolder } from '../support/temporary.js';
import { workplaceOn } from '../support/workplace.js';

async function begin(
  t: TestContext,
  folder: string,
  module?: URL,
  before: (place: Workplace) => Promise<void> = async () => {},
) {
  const { settings } = await openFresh(t, 'sqlite');
  const backupTo = join(temporaryFolder(t), folder);
  const place = await workplaceOn(t, { ...settings, backupTo });
  const { control, now, secrets } = place;
  await before(place);
  const logger = createSilentLogger();
  const schedule = startBackupSchedule({
    ...{ settings: place.settings, secrets: secrets.known(), control, logger, now },
    ...(module && { module }),
  })!;
  t.after(() => schedule.stop());
  const until = async (isOver: (state: BackupScheduleState) => boolean): Promise<BackupScheduleState> => {
    for (;;) {
      const state = await readBackupSchedule(control.read);
      if (isOver(state)) return state;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { place, until };
}

test('makes a backup in a process of its own', async (t) => {
  const { place, until } = await begin(t, 'backups');
  const { folder, failedAt } = await until(({ begunAt }) => begunAt !== null);
  assert.equal(failedAt, null);
  assert.ok(existsSync(join(folder!, 'backup.json')));
  const made = await place.control.read('audit').where({ action: 'backup.made' }).first('actor', 'subject');
  assert.deepEqual([made.actor, made.subject], ['system', folder]);
});

test('makes one that a person asks for, though none is due, in their name', async (t) => {
  const { place, until } = await begin(t, 'backups', undefined, async (opened) => {
    await noteMade(opened.control, opened.now(), '/earlier');
    await requestBackup({ ...opened, actor: 'token:tok_1' });
    await assert.rejects(requestBackup(opened), { code: 'refused' });
  });
  const { folder } = await until((state) => state.folder !== '/earlier');
  const job = await readBackupJob(place);
  assert.deepEqual([job.state, job.folder, job.askedBy], ['made', folder, 'token:tok_1']);
  const made = await place.control.read('audit').where({ action: 'backup.made' }).first('actor', 'subject');
  assert.deepEqual([made.actor, made.subject], ['token:tok_1', folder]);
});

/** Starts a process whose system refuses to change its priority, as under the unit of the packages. */
function withoutPriority(t: TestContext): URL {
  const entry = new URL(`../../app/backupentry${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  const module = pathToFileURL(join(temporaryFolder(t), 'entry.mjs'));
  writeFileSync(
    module,
    `import os from 'node:os';
import { syncBuiltinESMExports } from 'node:module';
os.setPriority = () => { throw Object.assign(new Error('operation not permitted'), { code: 'ERR_SYSTEM_ERROR' }); };
syncBuiltinESMExports();
await import(${JSON.stringify(entry.href)});
`,
  );
  return module;
}

test('makes a backup where the system refuses to lower the priority of its process', async (t) => {
  const { until } = await begin(t, 'backups', withoutPriority(t));
  const { folder, failure } = await until(({ begunAt, failedAt }) => begunAt !== null || failedAt !== null);
  assert.equal(failure, null);
  assert.ok(existsSync(join(folder!, 'backup.json')));
});

test('notes why a backup failed', async (t) => {
  const { place, until } = await begin(t, 'absent/backups');
  const { failure, begunAt } = await until(({ failedAt }) => failedAt !== null);
  assert.match(failure!, /absent does not exist: make it, or mount its volume/);
  assert.equal(begunAt, null);
  for (;;) {
    const [found] = await place.control.read('events').where({ type: 'backup.failed' });
    if (found !== undefined) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});
