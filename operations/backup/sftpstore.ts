/** The place of scheduled backups on an SFTP server, which is recognized by its host key. */
import { posix } from 'node:path';
import ssh2 from 'ssh2';
import { readSecretText, SecretSourceError } from '../../config/secretsource.js';
import type { Settings } from '../../config/settings.js';
import { OperationError } from '../error.js';
import { readSftpTarget } from '../exports/options.js';
import { openRemoteFiles, type RemoteFiles, type RemoteOptions } from './sftpfiles.js';
import { openSftpTarget } from './sftptarget.js';
import type { BackupStore } from './store.js';
import { description, type Manifest, marker } from './target.js';

/** A description names each damaged file. */
const mostDescriptionBytes = 64 * 1024 * 1024;

/**
 * @param lastFolder of the last scheduled backup; null: there was none
 * @throws OperationError `unavailable`, `failed`, `usage`
 */
export async function openSftpStore(
  settings: Settings,
  lastFolder: string | null,
  options: RemoteOptions = {},
): Promise<BackupStore> {
  const url = settings.backupTo!.replace(/\/+$/, '');
  const { host, port, user, path, hostKey } = readSftpTarget(url, settings.backupHostKey!, true);
  const remote = { host, port, user, auth: 'key', hostKeys: [hostKey], allowPrivate: true } as const;
  const files = await openRemoteFiles({ ...remote, legacyAlgorithms: false }, readKey(settings), options);
  const at = (...names: string[]) => posix.join(path, ...names);
  try {
    await makeRoot(files, path, url, lastFolder);
  } catch (error) {
    files.close();
    throw error;
  }
  return {
    list: async () => ((await files.list(path)) ?? []).filter(({ isFolder }) => isFolder).map(({ name }) => name),
    readManifest: (name) => readManifest(files, at(name)),
    placeOf: (name) => `${url}/${name}`,
    open: (name, { earlier, final }) =>
      openSftpTarget(files, {
        folder: at(name),
        earlier: earlier === null ? null : at(earlier),
        final: at(final),
        finalUrl: `${url}/${final}`,
        data: settings.data,
      }),
    rename: (name, to) => files.rename(at(name), at(to)),
    remove: (name) => files.removeFolder(at(name)),
    close: files.close,
  };
}

/** @throws OperationError `unavailable` */
export function readKey({ backupKey, credentials }: Pick<Settings, 'backupKey' | 'credentials'>): string {
  let text: string;
  try {
    text = readSecretText(backupKey!, credentials);
  } catch (cause) {
    if (!(cause instanceof SecretSourceError)) throw cause;
    throw new OperationError('unavailable', `backupKey: ${cause.message}`, { cause });
  }
  const parsed = ssh2.utils.parseKey(text);
  if (!(parsed instanceof Error) && (Array.isArray(parsed) ? parsed[0]! : parsed).isPrivateKey()) return text;
  throw new OperationError(
    'unavailable',
    `backupKey: ${backupKey} is not a private key without a passphrase; make one with: ssh-keygen -t ed25519 -N "" -f backup_key`,
  );
}

async function readManifest(files: RemoteFiles, folder: string): Promise<Manifest | null> {
  const text = await files.read(posix.join(folder, description), mostDescriptionBytes);
  if (text === null || (await files.read(posix.join(folder, marker), 1)) !== null) return null;
  try {
    return JSON.parse(text.toString('utf8')) as Manifest;
  } catch {
    return null;
  }
}

/** Makes the folder before the first backup; later its absence means that its volume is not there. */
async function makeRoot(files: RemoteFiles, path: string, url: string, lastFolder: string | null): Promise<void> {
  if ((await files.list(path)) !== null) return;
  if (lastFolder?.startsWith(`${url}/`))
    throw new OperationError('unavailable', `${url} (backupTo) is gone: is the volume of that server mounted?`);
  await files.makeFolder(path);
}
