/** Makes the settings name the new database: in the settings file, where that has the setting or can get it. */
import { chmod, chown, copyFile, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { locateSettings } from '../../config/load.js';
import { syncFolder } from '../../keys/file.js';
import { syncFile } from '../backup/target.js';
import type { SettingsChoice } from '../settings.js';
import type { Destination } from './target.js';

export interface SwitchReport {
  /** The file that was changed; null: the operator has to change the setting. */
  file: string | null;
  /** The settings as they have to be. */
  settings: Record<string, unknown>;
  /** Where the old setting is; null: the file was changed. */
  origin: string | null;
}

const dropslotJson = 'dropslot.json';

/** As switchSettings, for the place of the sealed files. */
export function switchBlobs(choice: SettingsChoice, data: string, blobs: string): Promise<SwitchReport> {
  return writeSettings(choice, 'blobs', { blobs }, data);
}

/** An environment variable or the command line would take precedence: nothing is written then, nor for a value that no file can hold. */
export async function switchSettings(
  choice: SettingsChoice,
  { given, settings: { sealDirectory, data } }: Destination,
): Promise<SwitchReport> {
  // Dropslot cannot seal on PostgreSQL: the operator has said that its volume is encrypted.
  const isSealed = given !== 'sqlite' && sealDirectory === 'on';
  const settings = { database: given, ...(isSealed && { sealDirectory: 'volume' }) };
  return writeSettings(choice, 'database', settings, data, given.startsWith('fd:'));
}

async function writeSettings(
  choice: SettingsChoice,
  name: 'database' | 'blobs',
  settings: Record<string, unknown>,
  data: string,
  isUnfit = false,
): Promise<SwitchReport> {
  const { file, originOf } = locateSettings(choice);
  const origin = originOf(name);
  const isElsewhere = origin !== 'default' && !origin.startsWith('settings file');
  if (isElsewhere || isUnfit) return { file: null, settings, origin };
  const path = file ?? join(data, dropslotJson);
  try {
    await changeFile(path, settings);
    return { file: path, settings, origin: null };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return { file: null, settings, origin: path };
  }
}

/** Keeps the old content beside it, and its owner and mode. */
async function changeFile(path: string, settings: Record<string, unknown>): Promise<void> {
  const found = await stat(path).catch(() => null);
  const old = found === null ? {} : (JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>);
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  await writeFile(temporary, `${JSON.stringify({ ...old, ...settings }, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  if (found !== null) {
    await copyFile(path, `${path}.before-move`);
    await chmod(temporary, found.mode & 0o777);
    await chown(temporary, found.uid, found.gid);
  }
  await syncFile(temporary);
  await rename(temporary, path);
  await syncFolder(dirname(path));
}
