/** Finds files of a folder that processes of this machine hold open, where the system can tell (Linux, `/proc`). */
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * `all`: of every process. `own`: of this user's processes alone, because others' are hidden. `none`: this system does not tell.
 * Never of processes of another machine that has the same share mounted, nor of another container.
 */
export type HolderSight = 'all' | 'own' | 'none';

export function holderSight(): HolderSight {
  if (process.platform !== 'linux') return 'none';
  return process.getuid?.() === 0 ? 'all' : 'own';
}

/** Names of these that a process has open, this one excepted. Processes that end meanwhile, or are hidden, hold none. */
export async function findHolders(dir: string, names: readonly string[], proc = '/proc'): Promise<Set<string>> {
  const held = new Set<string>();
  if (names.length === 0 || holderSight() === 'none') return held;
  const wanted = new Map(names.map((name) => [join(dir, name), name]));
  for (const pid of await listOrNone(proc)) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    for (const descriptor of await listOrNone(join(proc, pid, 'fd'))) {
      const target = await readlink(join(proc, pid, 'fd', descriptor)).catch(() => null);
      const name = target === null ? undefined : wanted.get(target);
      if (name !== undefined) held.add(name);
    }
  }
  return held;
}

async function listOrNone(path: string): Promise<string[]> {
  return readdir(path).catch(() => []);
}
