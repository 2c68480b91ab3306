/** The present start of the machine, and whether files of an earlier one may be lost. */
import { readFileSync } from 'node:fs';
import type { Db } from '../db/connection.js';
import { hasUnsyncedOfOtherBoots } from '../db/control/unsyncedblobs.js';

/** Whether the machine has started again since rows were written: files that were only in its memory may be gone. */
export function needsRecovery(control: Pick<Db, 'read'>): Promise<boolean> {
  return hasUnsyncedOfOtherBoots(control.read, readBoot() ?? '');
}

/** A name of the machine's present start; null: the system has none, and files are synced at their CLOSE. */
export function readBoot(): string | null {
  try {
    const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return /^[\da-f-]{8,64}$/.test(id) ? id : null;
  } catch {
    return null;
  }
}
