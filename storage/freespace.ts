/** Whether the volume of the data folder has the free space that must be left (the setting minFreeBytes). */
import { mkdirSync, statfsSync } from 'node:fs';
import type { Logger } from '../config/logger.js';
import type { Settings } from '../config/settings.js';

export interface FreeSpace {
  folder: string;
  freeBytes: number;
  minFreeBytes: number;
}

/** null: there is enough; else how much is free. @throws the errors of node:fs */
export function findShortage({ data, minFreeBytes }: Pick<Settings, 'data' | 'minFreeBytes'>): FreeSpace | null {
  if (minFreeBytes === 0) return null;
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = statfsSync(data);
  const freeBytes = bavail * bsize;
  return freeBytes < minFreeBytes ? { folder: data, freeBytes, minFreeBytes } : null;
}

export function describeShortage({ folder, freeBytes, minFreeBytes }: FreeSpace): string {
  return `the disk of ${folder} is nearly full: ${freeBytes} bytes are free, and minFreeBytes is ${minFreeBytes}; free some space, then try again`;
}

/** Says whether new work may begin; logs each change. @throws the errors of node:fs */
export function watchFreeSpace(
  settings: Pick<Settings, 'data' | 'minFreeBytes'>,
  logger: Logger,
  work: string,
): () => boolean {
  let wasShort = false;
  return () => {
    const shortage = findShortage(settings);
    if (shortage !== null && !wasShort)
      logger.error(`the disk is nearly full; will not ${work} until space is free`, { ...shortage });
    if (shortage === null && wasShort) logger.info(`the disk has free space again; will ${work}`);
    wasShort = shortage !== null;
    return !wasShort;
  };
}
