/** Processes that make backups on an SFTP server, killed at random times: what is complete there can always be restored. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BackupNews, BackupRequest, BackupResult } from '../../app/backupmain.js';
import { claimBackupNow } from '../../db/control/backupschedule.js';
import { openBackupServer } from '../support/backupserver.js';
import { csv } from '../support/company.js';
import { missingSshd } from '../support/sshd.js';

const rounds = Number(process.env.KILL_ROUNDS ?? 12);

test('a process that is killed leaves no backup that is not whole', { skip: missingSshd() }, async (t) => {
  const { acme, place, settings, root, requireWhole } = await openBackupServer(t, { backupKeep: 2 });
  const entry = new URL(`../../app/backupentry${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url);
  /** Its result; null: it was killed before it had one. */
  const back = async (killAfterMs: number | null): Promise<BackupResult | null> => {
    const child = fork(entry, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    let result: BackupResult | null = null;
    child.on('message', (message: BackupResult | BackupNews) => {
      if (message.type !== 'progress') result = message;
    });
    const exited = once(child, 'exit');
    const claim = (await claimBackupNow(place.control.write, Date.now(), 1))!;
    child.send({ settings, secrets: place.secrets.known(), claim, by: null } satisfies BackupRequest);
    const timer = killAfterMs === null ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    await exited;
    clearTimeout(timer);
    return result;
  };
  const begunAt = Date.now();
  assert.equal((await back(null))?.type, 'made');
  const takesMs = Date.now() - begunAt;
  for (let round = 0; round < rounds; round++) {
    await acme.drop(`/more${round}.csv`, csv('User Email', `u${round}@acme.test`));
    await back(takesMs * (0.3 + 0.7 * Math.random()));
    const complete = readdirSync(root).filter((name) => /^\d{4}-/.test(name));
    assert.ok(complete.length > 0);
    for (const name of complete) assert.ok(existsSync(join(root, name, 'backup.json')), name);
    await requireWhole(complete.sort().at(-1)!);
  }
  const last = await back(null);
  assert.equal(last?.type, 'made');
  assert.equal(readdirSync(root).length, 2);
});
