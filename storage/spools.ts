/**
 * With an object store: the files on the local disk that uploads fill. A living process touches its own, so that those of dead processes
 * are found by any other one on this data folder.
 */
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Paths } from '../config/paths.js';
import type { Spool } from './blobstore.js';
import { type Disk, type DiskFile, systemDisk } from './disk.js';

const touchEveryMs = 5 * 60_000;
/** Between two looks: much longer than between two touches. */
export const sweepEveryMs = 60 * 60_000;

/** Touched until its removal, also while the store is away. */
export function openSpool(disk: Disk, path: string, file: DiskFile): Spool {
  const touch = () => {
    const now = new Date();
    // An upload whose file was removed goes on by its handle.
    utimes(path, now, now).catch(() => {});
  };
  const timer = setInterval(touch, touchEveryMs).unref();
  return {
    file,
    remove: () => {
      clearInterval(timer);
      return disk.remove(path);
    },
  };
}

/** Finds dead files without comparing clocks: the time of each is the same as at the last look. */
export class SpoolSweep {
  readonly #paths: Pick<Paths, 'partials'>;
  readonly #disk: Disk;
  #times = new Map<string, number>();

  constructor(paths: Pick<Paths, 'partials'>, disk: Disk = systemDisk) {
    this.#paths = paths;
    this.#disk = disk;
  }

  /** Every sweepEveryMs. Returns how many it has removed. */
  async sweep(): Promise<number> {
    const before = this.#times;
    this.#times = new Map();
    let removed = 0;
    for (const name of await this.#disk.list(this.#paths.partials)) {
      const path = join(this.#paths.partials, name);
      const found = await this.#disk.stat(path);
      if (found === null) continue;
      if (before.get(name) !== found.mtimeMs) this.#times.set(name, found.mtimeMs);
      else {
        await this.#disk.remove(path);
        removed++;
      }
    }
    return removed;
  }
}
