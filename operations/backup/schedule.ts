/** One scheduled backup: a folder of its own in `backupTo`, which shares sealed files with the one before; older ones are removed. */
import {
  claimBackupNow,
  noteBackupRetry,
  noteScheduledBackup,
  readBackupSchedule,
} from '../../db/control/backupschedule.js';
import { readControlMarks } from '../../db/control/pair.js';
import type { OnAdvance } from '../advance.js';
import { OperationError } from '../error.js';
import { describeFailure } from '../failure.js';
import type { Workplace } from '../workplace.js';
import { type BackupOptions, type BackupReport, backUpInto } from './backup.js';
import { claimLost, claimMs, keepClaim, requireClaim } from './claim.js';
import type { RemoteOptions } from './sftpfiles.js';
import { openSftpStore } from './sftpstore.js';
import { type BackupStore, openFolderStore, timeName } from './store.js';
import type { Manifest } from './target.js';

export interface ScheduledBackup extends BackupReport {
  /** Folders of older backups that were removed. */
  removedBackups: string[];
}

/** After a failure. */
export const retryMs = 15 * 60_000;

export interface ScheduledOptions extends RemoteOptions {
  /** Ends the copying with its reason. */
  signal?: AbortSignal;
}

/** For whoever has the claim of this number. @throws OperationError, `refused` when it was lost; DatabaseError, KeyError */
export async function makeScheduledBackup(
  workplace: Workplace,
  claim: number,
  onProgress: OnAdvance,
  { signal, ...options }: ScheduledOptions = {},
): Promise<ScheduledBackup> {
  const store = await openStore(workplace, options);
  const requireTurn = () => requireClaim(workplace.control, claim);
  try {
    return await makeIn(store, workplace, { onProgress, requireTurn, ...(signal && { signal }) });
  } finally {
    store.close();
  }
}

/**
 * As the schedule does, now: its next period begins, and a failure is noted.
 * @throws OperationError `usage` without a schedule, `refused` while another process makes one; else as makeScheduledBackup
 */
export async function makeBackupNow(workplace: Workplace, onProgress: OnAdvance): Promise<ScheduledBackup> {
  const { settings, control, now } = workplace;
  if (settings.backupTo === undefined)
    throw new OperationError(
      'usage',
      'name a folder for the backup, or set backupTo: dropslot backup /mnt/backup/dropslot',
    );
  const begunAt = now();
  const claim = await claimBackupNow(control.write, begunAt, claimMs);
  if (claim === null)
    throw new OperationError('refused', 'another process makes a scheduled backup now: wait for its end');
  const lost = new AbortController();
  const endKeeping = keepClaim(control, claim, now, () => lost.abort(claimLost()));
  try {
    const report = await makeScheduledBackup(workplace, claim, onProgress, { signal: lost.signal });
    await noteScheduledBackup(control.write, claim, begunAt, report.folder, now());
    return report;
  } catch (error) {
    const isWaiting = error instanceof OperationError && error.code === 'refused';
    const failure = isWaiting ? null : describeFailure(error).message;
    await noteBackupRetry(control.write, claim, { at: now(), retryAt: isWaiting ? 0 : now() + retryMs, failure });
    throw error;
  } finally {
    endKeeping();
  }
}

async function openStore({ settings, control, paths }: Workplace, options: RemoteOptions): Promise<BackupStore> {
  const root = settings.backupTo!;
  const { folder } = await readBackupSchedule(control.read);
  return root.startsWith('sftp:')
    ? openSftpStore(settings, folder, options)
    : openFolderStore(root, paths.data, folder);
}

async function makeIn(
  store: BackupStore,
  workplace: Workplace,
  { requireTurn, ...options }: Pick<BackupOptions, 'onProgress' | 'signal'> & { requireTurn: () => Promise<void> },
): Promise<ScheduledBackup> {
  const { settings, control, now } = workplace;
  await requireTurn();
  const { pairId } = await readControlMarks(control.read);
  const tag = pairId!.slice(0, 8);
  for (const name of await store.list()) if (name.startsWith(`removing-${tag}-`)) await store.remove(name);
  const earlier = (await listOwn(store, pairId!)).at(-1)?.name ?? null;
  const final = new Date(now()).toISOString().slice(0, 19).replaceAll(':', '-').concat('Z');
  const target = await store.open(`in-progress-${tag}`, { earlier, final });
  const kind = { includeKeys: false, pgDump: settings.pgDump };
  const report = await backUpInto(workplace, target, { ...kind, ...options, beforePublish: requireTurn });
  const removedBackups: string[] = [];
  await requireTurn();
  for (const { name } of findSurplus(await listOwn(store, pairId!), settings.backupKeep)) {
    // A folder that is removed in part is no backup, whatever a kill leaves of it.
    const doomed = `removing-${tag}-${name}`;
    await store.rename(name, doomed);
    await store.remove(doomed);
    removedBackups.push(store.placeOf(name));
  }
  return { ...report, removedBackups };
}

interface OwnBackup {
  name: string;
  manifest: Manifest;
}

/** Oldest first. */
async function listOwn(store: BackupStore, installation: string): Promise<OwnBackup[]> {
  const names = (await store.list()).filter((name) => timeName.test(name)).sort();
  const own: OwnBackup[] = [];
  for (const name of names) {
    const manifest = await store.readManifest(name);
    if (manifest?.installation === installation) own.push({ name, manifest });
  }
  return own;
}

/** Beyond the newest ones; the newest that has no damage is always kept. */
function findSurplus(backups: readonly OwnBackup[], keep: number): OwnBackup[] {
  const whole = backups.filter(({ manifest }) => manifest.wrong.length === 0).at(-1);
  return backups.slice(0, -keep).filter((one) => one !== whole);
}
