/** An organization with one imported file, and an OpenSSH sshd that scheduled backups are written to. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWorkplace } from '../../app/compose.js';
import { claimBackupNow } from '../../db/control/backupschedule.js';
import { loadOrCreateHostKeys } from '../../keys/host/hostkeys.js';
import { restore } from '../../operations/backup/restore.js';
import { makeScheduledBackup } from '../../operations/backup/schedule.js';
import type { RemoteOptions } from '../../operations/backup/sftpfiles.js';
import { Company, csv } from './company.js';
import { openFresh } from './databases.js';
import { newKey, startSshd } from './sshd.js';
import { type Scope, temporaryFolder } from './temporary.js';
import { examine, workplaceOn } from './workplace.js';

const hourMs = 3_600_000;

/** Each backup is made an hour after the one before. */
export async function openBackupServer(t: Scope, { backupKeep = 7, subsystem = 'internal-sftp' } = {}) {
  const acme = await Company.open((scope) => openFresh(scope, 'sqlite'), t);
  const folder = temporaryFolder(t);
  const sshd = await startSshd(t, folder, [newKey(join(folder, 'client'))], [`Subsystem sftp ${subsystem}`]);
  const { stdout } = spawnSync('ssh-keygen', ['-lf', join(folder, 'host_key.pub')], { encoding: 'utf8' });
  const root = join(folder, 'backups');
  const settings = {
    ...acme.databases.settings,
    ...{ backupKeep, backupTo: `sftp://${sshd.user}@127.0.0.1:${sshd.port}${root}` },
    ...{ backupKey: join(folder, 'client'), backupHostKey: stdout.split(' ')[1]! },
  };
  const place = await workplaceOn(t, settings);
  await loadOrCreateHostKeys(place.paths.hostKeys);
  await acme.import({ 'users.csv': csv('User Email', 'ann@acme.test') });
  let at = Date.UTC(2026, 0, 31, 2);
  const back = async (options: RemoteOptions = {}, change: Partial<typeof settings> = {}) => {
    at += hourMs;
    const claim = (await claimBackupNow(place.control.write, at, 1))!;
    const now = { ...place, settings: { ...settings, ...change }, now: () => at };
    return makeScheduledBackup(now, claim, () => {}, options);
  };
  /** Restores a backup, as somebody fetched it, and examines all of it. */
  const requireWhole = async (name: string) => {
    const data = join(temporaryFolder(t), 'data');
    const choice = { file: undefined, overrides: { data } };
    const restored = await restore(choice, openWorkplace, join(root, name), {
      masterKey: place.paths.masterKey,
      onProgress: () => {},
    });
    assert.deepEqual(restored.wrong, []);
    const { sealedBytes } = JSON.parse(readFileSync(join(root, name, 'backup.json'), 'utf8'));
    assert.equal(restored.bytes, sealedBytes);
    const findings = await examine(restored.settings, { deep: true });
    assert.deepEqual(
      findings.filter(({ level, check }) => level === 'wrong' && check !== 'organization'), // its files have waited since the test's past
      [],
    );
    return restored.files;
  };
  return { acme, place, settings, sshd, root, back, requireWhole };
}
