/** Puts a backup into an empty data folder: checks that it is whole and that its databases fit, before it copies the first file. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Paths, pathsOf } from '../../config/paths.js';
import { type Db, openControl, openDirectory } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { renameBlobPlace } from '../../db/control/blobplace.js';
import { listOrgs } from '../../db/control/orgs.js';
import { checkIntegrity } from '../../db/integrity.js';
import { findMismatch } from '../../db/pair.js';
import { readSealState } from '../../db/sqlite/sealstate.js';
import { hostKeyNames } from '../../keys/host/hostkeys.js';
import { openDirectoryKey } from '../../keys/master/directorykey.js';
import { loadMaster, type MasterKey } from '../../keys/master/master.js';
import { openOrgIdentity } from '../../keys/master/orgidentity.js';
import { createMasterSecrets, type KnownSecrets } from '../../keys/master/secrets.js';
import { replaceBlobFolder } from '../../storage/folderclaim.js';
import { openStoragePaths, type StoragePaths } from '../../storage/storagepaths.js';
import { type Advance, beginPhase, type OnAdvance, shareOf } from '../advance.js';
import { OperationError } from '../error.js';
import { formatBytes } from '../format.js';
import { readSettings, type Settings, type SettingsChoice } from '../settings.js';
import type { OpenWorkplace } from '../workplace.js';
import { addTree, copyTree, countFiles } from './restorefiles.js';
import { claimFolder, giveToOwner, releaseFolder, returnToOwner } from './restorefolder.js';
import { isRestored, restorePostgres } from './restorepostgres.js';
import { listBackups, readManifest } from './store.js';
import { copyPrivate, dumpName, type Manifest, marker } from './target.js';

export interface RestoreOptions {
  /** A file with the master key, for `keys/master.key`. */
  masterKey?: string | undefined;
  /** Asks for the passphrase of the master key; undefined: there is no person to ask. */
  askPassphrase?: ((masterKey: string) => Promise<string>) | undefined;
  onProgress: OnAdvance;
  /** Called after each step. */
  onStep?: (step: RestoreStep) => void;
}

/** The steps between which a kill can interrupt a restore, in their order; of PostgreSQL `database` in place of the two files. */
export type RestoreStep =
  | 'claimed'
  | 'settings'
  | 'checked'
  | 'file'
  | 'copied'
  | 'keys'
  | 'noted'
  | 'database'
  | 'directory'
  | 'control'
  | 'released';

export interface Restored {
  data: string;
  /** When the backup was made. */
  at: string;
  files: number;
  bytes: number;
  /** `present`: the master key is where the settings have it. */
  masterKey: 'present' | 'missing';
  /** Whether the databases were compared: not where a sealed directory.db has no key here. */
  isCompared: boolean;
  /** Damage that the backup had already when it was made. */
  wrong: string[];
  settings: Settings;
}

/**
 * A kill leaves a folder that no server starts on; repeat the command.
 * @throws OperationError `not_found`, `refused`, `failed`; DatabaseError; KeyError
 */
export async function restore(
  choice: SettingsChoice,
  open: OpenWorkplace,
  folder: string,
  options: RestoreOptions,
): Promise<Restored> {
  const from = resolve(folder);
  const manifest = await requireBackup(from);
  const source = pathsOf({ data: from });
  await requireFiles(source, manifest);
  const { data } = readSettings(choice);
  const { onProgress, onStep = () => {} } = options;
  const claim = await claimFolder(data, from);
  onStep('claimed');
  let isCompared = false;
  let known: KnownSecrets | undefined;
  let copied = { files: 0, bytes: 0 };
  try {
    // The restored settings are in force from here on, unless the command line names another file.
    const ownSettings = join(data, 'dropslot.json');
    if (!existsSync(ownSettings)) await copyPrivate(join(from, 'dropslot.json'), ownSettings);
    onStep('settings');
    const settings = readSettings(choice);
    const paths = await openStoragePaths(settings);
    requireSameKind(settings, manifest, from);
    const found = await findMasterKey(paths, source, options);
    known = found?.known;
    const key = found?.key ?? null;
    const incoming = pathsOf({ data: join(data, 'restoring') });
    await rm(incoming.data, { recursive: true, force: true });
    await mkdir(incoming.data, { mode: 0o700 });
    if (settings.database === 'sqlite') isCompared = await checkDatabases(settings, source, incoming, key, options);
    else await isRestored(settings.database, manifest, claim);
    onStep('checked');
    const onFile = (so: { files: number; bytes: number }) => {
      onStep('file');
      onProgress(advanceOf(so, manifest));
    };
    copied = await (paths.store === undefined
      ? copyTree(source.blobs, paths.blobs, onFile)
      : addTree(source.blobs, paths.store, onFile));
    paths.store?.close();
    onStep('copied');
    for (const name of hostKeyNames) await copyPrivate(join(source.hostKeys, name), join(paths.hostKeys, name));
    const given = options.masterKey ?? (existsSync(source.masterKey) ? source.masterKey : null);
    if (given !== null) await copyPrivate(given, join(data, 'keys', 'master.key'));
    onStep('keys');
    if (settings.database !== 'sqlite') await restorePostgres(settings, from, manifest, claim, { onProgress, onStep });
    else {
      await rename(incoming.directory, paths.directory);
      onStep('directory');
      // At the end: a data folder without control.db has no data.
      await rename(incoming.control, paths.control);
      onStep('control');
    }
    await rm(incoming.data, { recursive: true });
    await namePlace(settings, paths);
    await giveToOwner(data, claim.owner);
    await releaseFolder(data);
    onStep('released');
  } catch (error) {
    if (copied.files === 0) await claim.undo();
    if (copied.files > 0 || claim.isRepeated)
      onProgress(`the restore is not complete: repeat the command to continue it, or remove ${data}`);
    else onProgress(`nothing was restored: ${data} is as it was`);
    throw error;
  }
  const settings = readSettings(choice);
  const masterKey = isPresent(pathsOf(settings).masterKey) ? 'present' : 'missing';
  if (masterKey === 'present') await recordRestore(settings, open, from, manifest, known);
  await returnToOwner(data);
  const { at, wrong } = manifest;
  return { data, at, ...copied, masterKey, isCompared, wrong, settings };
}

function advanceOf({ files, bytes }: { files: number; bytes: number }, { files: all, sealedBytes }: Manifest): Advance {
  const amount = `${files} of ${all} files, ${formatBytes(bytes)} of ${formatBytes(sealedBytes)}`;
  const share = shareOf(bytes, sealedBytes);
  return { phase: 'copying the sealed files', amount, done: bytes, unit: 'bytes', share, name: null };
}

/** The sealed files are where this restore has put them, not where a move before the backup did. */
async function namePlace(settings: Settings, paths: StoragePaths): Promise<void> {
  const control = await openControl(settings);
  try {
    await renameBlobPlace(control.write, settings.blobs);
    await control.transact((tx) => replaceBlobFolder(paths, tx, Date.now()));
  } finally {
    await control.close();
  }
}

/** @throws OperationError `not_found`, `refused` */
async function requireBackup(from: string): Promise<Manifest> {
  const manifest = await readManifest(from);
  if (manifest !== null) return manifest;
  if (!existsSync(from)) throw new OperationError('not_found', `there is no folder ${from}`);
  const inside = (await listBackups(from)).filter((one) => one.manifest !== null).at(-1);
  if (inside !== undefined)
    throw new OperationError('refused', `${from} has several backups: name one; the newest is ${inside.folder}`);
  const isBegun = existsSync(join(from, marker));
  throw new OperationError(
    'refused',
    isBegun
      ? `the backup in ${from} is not complete: restore another one`
      : `${from} is no backup of Dropslot: it has no backup.json`,
  );
}

/** @throws OperationError `failed` */
async function requireFiles(source: Paths, { files }: Manifest): Promise<void> {
  const found = await countFiles(source.blobs);
  if (found < files)
    throw new OperationError(
      'failed',
      `the backup ${source.data} is damaged: it has ${found} of its ${files} sealed files; restore another one`,
    );
}

function requireSameKind({ database }: Settings, manifest: Manifest, from: string): void {
  const isDump = existsSync(join(from, dumpName));
  if (isDump !== (database !== 'sqlite'))
    throw new OperationError(
      'refused',
      isDump
        ? `the backup ${from} is of a server on PostgreSQL (made at ${manifest.at}): set database to the URL of an empty one`
        : `the backup ${from} is of a server on SQLite, and the setting database names another one: leave it out`,
    );
}

/** null: it is not here. `known`: its secrets, which may be read once only. @throws KeyError for one that is no key; OperationError */
async function findMasterKey(
  paths: Paths,
  source: Paths,
  options: RestoreOptions,
): Promise<{ key: MasterKey; known: KnownSecrets } | null> {
  const standard = join(paths.data, 'keys', 'master.key');
  if (options.masterKey !== undefined && paths.masterKey !== standard)
    throw new OperationError('usage', `the setting masterKey names ${paths.masterKey}: leave out --master-key`);
  const candidates = [options.masterKey ?? paths.masterKey, source.masterKey];
  const file = candidates.find(isPresent);
  if (file === undefined) {
    if (options.masterKey !== undefined) throw new OperationError('not_found', `there is no file ${options.masterKey}`);
    return null;
  }
  const { askPassphrase: ask } = options;
  const from = { masterKey: file, masterKeyPassphrase: paths.masterKeyPassphrase };
  const secrets = createMasterSecrets(from, ask === undefined ? {} : { ask: () => ask(file) });
  const key = await loadMaster(from, secrets);
  return { key, known: secrets.known() };
}

/**
 * Copies the databases beside their places, and opens the copies: the backup itself is not changed, and may be read-only.
 * false: there is no key for directory.db.
 */
async function checkDatabases(
  settings: Settings,
  source: Paths,
  incoming: Paths,
  master: MasterKey | null,
  { onProgress }: RestoreOptions,
): Promise<boolean> {
  onProgress(beginPhase('checking the databases'));
  for (const [from, to] of [
    [source.control, incoming.control],
    [source.directory, incoming.directory],
  ] as const)
    if (!(await copyPrivate(from, to)))
      throw new OperationError('failed', `the backup lacks ${from}: restore another one`);
  const place = { ...settings, data: incoming.data };
  const control = await openControl(place);
  try {
    await requireIntact(control, source.control);
    if (master !== null) await requireKey(control, master);
    const isSealed = readSealState(incoming.directory) === 'sealed';
    const key = isSealed && master !== null ? await openDirectoryKey(control.read, master) : null;
    if (isSealed && key === null) return false;
    const directory = await openDirectory(place, undefined, key);
    try {
      await requireIntact(directory, source.directory);
      const mismatch = await findMismatch({ control, directory });
      if (mismatch !== null)
        throw new OperationError(
          'refused',
          `the databases of the backup do not fit, nothing was restored: ${mismatch.message}`,
        );
      return true;
    } finally {
      await directory.close();
    }
  } finally {
    await control.close();
  }
}

async function requireIntact(db: Db, file: string): Promise<void> {
  const [complaint] = await checkIntegrity(db, 'quick');
  if (complaint !== undefined)
    throw new OperationError('failed', `${file} is damaged (${complaint}): restore another backup`);
}

/** @throws KeyError when it is the key of another installation */
async function requireKey(control: Db, master: MasterKey): Promise<void> {
  const org = (await listOrgs(control.read)).find(({ sealedIdentity }) => sealedIdentity !== null);
  if (org !== undefined) await openOrgIdentity(master, org);
}

/** A source that is no file can only be tried. */
function isPresent(masterKey: string): boolean {
  return !masterKey.startsWith('/') || existsSync(masterKey);
}

async function recordRestore(
  settings: Settings,
  open: OpenWorkplace,
  from: string,
  { at }: Manifest,
  known: KnownSecrets | undefined,
): Promise<void> {
  const workplace = await open(settings, known === undefined ? {} : { known });
  try {
    const event = { at: workplace.now(), org: null, actor: workplace.actor, action: 'backup.restored', subject: from };
    await recordAudit(workplace.control.write, { ...event, detail: { madeAt: at } });
  } finally {
    await workplace.close();
  }
}
