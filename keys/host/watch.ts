/** Watches the folder of host keys, and reports changes by any process on any machine. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostKey, hostKeyNames, loadHostKeys } from './hostkeys.js';

/** A check is a few stat calls. Network file systems send no events of changes made elsewhere, so it polls. */
const checkEveryMs = 500;

export interface HostKeyWatch {
  stop(): Promise<void>;
}

/**
 * Calls `onChange` with the keys of `folder` when they are others than `known`, and `onError` once for each state of
 * the folder that can't be used; the previous keys stay in use then.
 */
export function watchHostKeys(
  folder: string,
  known: readonly HostKey[],
  { onChange, onError }: { onChange(keys: HostKey[]): void; onError(error: Error): void },
): HostKeyWatch {
  let seen: string | null = null;
  let current = describe(known);
  let timer: NodeJS.Timeout;
  let isStopped = false;
  const check = async (): Promise<void> => {
    const stamp = await stampOf(folder);
    if (stamp === seen) return;
    try {
      const keys = await loadHostKeys(folder);
      if (!keys.some(({ state }) => state === 'active')) throw new Error(`no active host key in ${folder}`);
      if (describe(keys) !== current && !isStopped) onChange(keys);
      current = describe(keys);
    } catch (error) {
      if (!isStopped) onError(error as Error);
    }
    // The next check sees changes made during this one.
    seen = stamp;
  };
  let checking = Promise.resolve();
  const schedule = (): void => {
    if (isStopped) return;
    timer = setTimeout(() => {
      checking = check().then(schedule);
    }, checkEveryMs);
  };
  schedule();
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await checking;
    },
  };
}

function describe(keys: readonly HostKey[]): string {
  return keys.map(({ fingerprint, state }) => `${state} ${fingerprint}`).join('\n');
}

async function stampOf(folder: string): Promise<string> {
  const stamps = hostKeyNames.map(async (name) => {
    try {
      const { ino, size, mtimeMs } = await stat(join(folder, name));
      return `${ino}/${size}/${mtimeMs}`;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  });
  return (await Promise.all(stamps)).join(' ');
}
