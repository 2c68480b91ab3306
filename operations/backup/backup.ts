/**
 * Makes a consistent copy of everything while the server runs. Sealed files never change, and rows refer to them: so it
 * copies the databases first, both as of one moment, then every file that they refer to. If a file was removed after that
 * moment, it makes another pass with newer databases, which has few files left to copy.
 */
import { join } from 'node:path';
import { sourceOf } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { isBlobLive, measureLiveBlobs } from '../../db/control/blobs.js';
import { findOrg } from '../../db/control/orgs.js';
import { readControlMarks } from '../../db/control/pair.js';
import { checkIntegrity } from '../../db/integrity.js';
import { copySqlite, openPostgresSnapshot, type Snapshot } from '../../db/snapshot.js';
import { KeyError } from '../../keys/error.js';
import { hostKeyNames } from '../../keys/host/hostkeys.js';
import { type Advance, beginPhase, type OnAdvance, shareOf } from '../advance.js';
import { OperationError } from '../error.js';
import { formatBytes } from '../format.js';
import { atSharedKeys } from '../keylock.js';
import { listUnsettledReports } from '../unsettled.js';
import type { Workplace } from '../workplace.js';
import { listWanted } from './copy.js';
import { dumpPostgres, verifyDump } from './dump.js';
import { openFolderTarget } from './foldertarget.js';
import { type Copied, dumpName, type Manifest, type Target, type Wanted } from './target.js';

export interface BackupOptions {
  /** Also copy the master key: anyone who gets the backup can then open every file in it. */
  includeKeys: boolean;
  /** PostgreSQL's own program for the databases. */
  pgDump: string;
  onProgress: OnAdvance;
  /** Called after each step. */
  onStep?: (step: BackupStep) => void;
  /** Ends the copying with its reason. */
  signal?: AbortSignal;
  /** Its error ends the backup before it is made complete. */
  beforePublish?: () => Promise<void>;
}

/** The steps between which a kill can interrupt a backup, in their order. */
export type BackupStep = 'opened' | 'databases' | 'file' | 'copied' | 'keys' | 'begun' | 'published' | 'moved';

export interface BackupReport {
  /** Or the URL of a folder on an SFTP server. */
  folder: string;
  files: number;
  sealedBytes: number;
  newFiles: number;
  newBytes: number;
  /** Files of an earlier backup to which no row refers now. */
  removedFiles: number;
  passes: number;
  masterKey: Manifest['masterKey'];
  /** Files that are damaged or missing in the data folder itself, as `id of org: fault`, and damage of the databases. */
  wrong: string[];
}

const mostPasses = 10;

/** Into a folder of this machine. @throws OperationError, DatabaseError, KeyError */
export async function backUp(workplace: Workplace, folder: string, options: BackupOptions): Promise<BackupReport> {
  if (options.includeKeys && !workplace.secrets.isFile)
    throw new OperationError('usage', 'the master key is not a file on this machine: back it up at its source');
  const target = await openFolderTarget(folder, workplace.paths.data);
  options.onStep?.('opened');
  return backUpInto(workplace, target, options);
}

/** @throws OperationError, DatabaseError, KeyError */
export async function backUpInto(workplace: Workplace, target: Target, options: BackupOptions): Promise<BackupReport> {
  const { onStep = () => {} } = options;
  // A file's header and the key that opens it change together: not while they are copied one after the other.
  return atSharedKeys(workplace, async (requireKeys) => {
    for (let pass = 1; ; pass++) {
      const { copied, missed, wrong, superfluous, installation } = await copyOnce(workplace, target, options);
      if (missed > 0) {
        options.onProgress(`${missed} files were removed meanwhile: copying again with newer databases`);
        if (pass < mostPasses) continue;
        throw new OperationError('failed', `files were removed in each of ${mostPasses} passes: try again later`);
      }
      const { files, sealedBytes, newFiles, newBytes } = copied;
      const masterKey = await copyKeys(workplace, target, options);
      onStep('keys');
      await requireKeys();
      await options.beforePublish?.();
      const made = { folder: target.final, files, sealedBytes, masterKey };
      const at = new Date(workplace.now()).toISOString();
      const database = workplace.control.dialect;
      await target.publish({ ...made, at, wrong, installation, database }, superfluous, onStep);
      onStep('moved');
      const event = { at: workplace.now(), org: null, actor: workplace.actor, action: 'backup.made' };
      await recordAudit(workplace.control.write, { ...event, subject: made.folder, detail: { files, masterKey } });
      return { ...made, newFiles, newBytes, removedFiles: superfluous.length, passes: pass, wrong };
    }
  });
}

async function copyOnce(workplace: Workplace, target: Target, options: BackupOptions) {
  await target.reset();
  options.onProgress(beginPhase('copying the databases'));
  const snapshot = await takeSnapshot(workplace, target, options);
  const { onStep = () => {} } = options;
  onStep('databases');
  try {
    const reports: Wanted[] = await listUnsettledReports({
      control: { read: snapshot.control },
      directory: { read: snapshot.directory },
    });
    const extent = await measureLiveBlobs(snapshot.control);
    const copied = await target.copyBlobs(untilAborted(listWanted(snapshot.control, reports), options.signal), {
      from: workplace.paths,
      identityOf: openIdentities(workplace, snapshot),
      onProgress: (so) => {
        onStep('file');
        options.onProgress(advanceOf(so, extent));
      },
    });
    onStep('copied');
    const wrong = copied.damaged.map(({ blob, fault }) => `${blob.id} of ${blob.org}: ${fault}`);
    wrong.push(...(await verifyDatabases(workplace, target, snapshot, options)));
    let missed = 0;
    for (const blob of copied.gone) {
      const isLost = await isBlobLive(workplace.control.read, blob.id);
      if (isLost) wrong.push(`${blob.id} of ${blob.org}: the sealed file is missing`);
      else missed++;
    }
    const kept = new Set(reports.map(({ id }) => id));
    const isWanted = async (id: string) => kept.has(id) || isBlobLive(snapshot.control, id);
    const superfluous = await target.listSuperfluous(isWanted);
    const { pairId: installation } = await readControlMarks(snapshot.control);
    return { copied, missed, wrong, superfluous, installation };
  } finally {
    await snapshot.close();
  }
}

async function* untilAborted<T>(items: AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    signal?.throwIfAborted();
    yield item;
  }
}

async function takeSnapshot(workplace: Workplace, target: Target, { pgDump }: BackupOptions): Promise<Snapshot> {
  const { settings, paths, control, directory } = workplace;
  if (control.dialect === 'sqlite')
    return copySqlite(settings, paths, target.incoming.data, target.incoming, sourceOf(directory).key);
  const snapshot = await openPostgresSnapshot(control, directory);
  try {
    await dumpPostgres(pgDump, settings.database, snapshot.name!, join(target.incoming.data, dumpName));
    return snapshot;
  } catch (error) {
    await snapshot.close();
    throw error;
  }
}

/** Reads the copies of the databases as they are in the backup: their damage, in sentences. */
async function verifyDatabases(
  { control: { dialect } }: Pick<Workplace, 'control'>,
  { incoming }: Target,
  snapshot: Snapshot,
  { pgDump, onProgress }: BackupOptions,
): Promise<string[]> {
  onProgress(beginPhase('reading the copies of the databases'));
  if (dialect === 'postgres') return verifyDump(pgDump, join(incoming.data, dumpName));
  const wrong: string[] = [];
  for (const [name, read] of [
    ['control.db', snapshot.control],
    ['directory.db', snapshot.directory],
  ] as const)
    for (const complaint of await checkIntegrity({ dialect, read }, 'quick')) wrong.push(`${name}: ${complaint}`);
  return wrong;
}

/** The host keys, so that clients meet the same server after a restore; the settings; the master key when asked. */
async function copyKeys(
  { paths }: Workplace,
  target: Target,
  { includeKeys }: BackupOptions,
): Promise<BackupReport['masterKey']> {
  for (const name of hostKeyNames) await target.copyPrivate(join(paths.hostKeys, name), join('keys', 'host', name));
  await target.copyPrivate(join(paths.data, 'dropslot.json'), 'dropslot.json');
  const master = join('keys', 'master.key');
  if (includeKeys) await target.copyPrivate(paths.masterKey, master);
  else await target.removePrivate(master);
  return includeKeys ? 'included' : 'left out';
}

/** Each organization's is opened once, as the snapshot has it. */
function openIdentities(workplace: Workplace, snapshot: Snapshot): (org: string) => Promise<string | null> {
  const opened = new Map<string, Promise<string | null>>();
  const open = async (id: string) => {
    const org = await findOrg(snapshot.control, id);
    if (org === null) return null;
    return workplace.identity(org).catch((error) => {
      if (error instanceof KeyError) return null;
      throw error;
    });
  };
  return (id) => {
    if (!opened.has(id)) opened.set(id, open(id));
    return opened.get(id)!;
  };
}

function advanceOf({ files, sealedBytes, newFiles }: Copied, extent: { files: number; sealedBytes: number }): Advance {
  const share = shareOf(sealedBytes, extent.sealedBytes);
  const of = `${files} of ${extent.files} files, ${formatBytes(sealedBytes)} of ${formatBytes(extent.sealedBytes)}`;
  const amount = `${of}, ${newFiles} of them new`;
  return { phase: 'copying the sealed files', amount, done: sealedBytes, unit: 'bytes', share, name: null };
}
