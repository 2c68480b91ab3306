/** Keeps some space of the disk in reserve, so that the server starts on a full one: SQLite needs some even to read. */
import { randomBytes } from 'node:crypto';
import { rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../config/logger.js';

const reserveBytes = 4 * 1024 ** 2;
/** With less free space the disk counts as full. */
const fullBytes = 1024 ** 2;
/** The reserve is made only where so much is free. */
const ampleBytes = 16 * reserveBytes;
const retryMs = 10_000;

/** As keepReserve, by a server that has started: it works without the reserve, too. */
export async function renewReserve(data: string, logger: Pick<Logger, 'warn'>): Promise<void> {
  await keepReserve(data).catch(({ message: reason }: Error) =>
    logger.warn('could not reserve space for a start on a full disk; the next start tries it again', { reason }),
  );
}

/** Makes the reserve, if it is missing and the disk has ample space. */
export async function keepReserve(data: string): Promise<void> {
  const file = fileOf(data);
  if ((await sizeOf(file)) === reserveBytes || (await freeBytes(data)) < ampleBytes) return;
  // Random bytes take their space on a file system that compresses, too.
  await writeFile(file, randomBytes(reserveBytes), { mode: 0o600 });
}

/**
 * Does `work`, which needs some space on the disk. On a full disk it gives up the reserve, and then waits until there is
 * space, telling the operator each time.
 * @throws the error of `work` when the disk is not full, or when the server stops.
 */
export async function startOnFullDisk<T>(
  data: string,
  logger: Logger,
  isStopping: () => boolean,
  work: () => Promise<T>,
  waitMs = retryMs,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const free = await freeBytes(data).catch(() => Number.POSITIVE_INFINITY);
      if (free >= fullBytes || isStopping()) throw error;
      const { message: reason } = error as Error;
      if ((await sizeOf(fileOf(data))) > 0) {
        await rm(fileOf(data), { force: true });
        logger.error('the disk is full; the server starts with the space that it had in reserve. Free some space', {
          ...{ data, freeBytes: free, reason },
        });
        continue;
      }
      logger.error(
        `the disk is full, and the server can't start; it tries again in ${waitMs / 1000} s. Free some space`,
        {
          ...{ data, freeBytes: free, reason },
        },
      );
      for (let waited = 0; waited < waitMs && !isStopping(); waited += waitMs / 10) await sleep(waitMs / 10);
    }
  }
}

function fileOf(data: string): string {
  return join(data, 'reserve');
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
