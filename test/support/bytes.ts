/** Searches bytes on the disk: of every file of a folder, and of files that a process has open although they were removed. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface ByteSearch {
  /** Files that contain the text. */
  found: string[];
  /** All files that were read. */
  read: string[];
}

/** A file that is removed while this reads is left out. */
export function searchBytes(folder: string, text: string): ByteSearch {
  const search: ByteSearch = { found: [], read: [] };
  for (const file of [...listFiles(folder), ...listRemoved(folder)]) {
    const bytes = attempt(() => readFileSync(file));
    if (bytes === null) continue;
    search.read.push(file);
    if (bytes.includes(text)) search.found.push(file);
  }
  return search;
}

function listFiles(folder: string): string[] {
  const entries = attempt(() => readdirSync(folder, { withFileTypes: true })) ?? [];
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

/** SQLite removes a temporary file as soon as it is open; Linux shows it beside its process, which has the folder in its environment. */
function listRemoved(folder: string): string[] {
  const processes = (attempt(() => readdirSync('/proc')) ?? [])
    .filter((name) => /^\d+$/.test(name))
    .filter((id) => attempt(() => readFileSync(`/proc/${id}/environ`))?.includes(folder) === true);
  return processes.flatMap((id) => {
    const descriptors = attempt(() => readdirSync(`/proc/${id}/fd`)) ?? [];
    return descriptors
      .map((descriptor) => `/proc/${id}/fd/${descriptor}`)
      .filter((path) => {
        const target = attempt(() => readlinkSync(path)) ?? '';
        return target.startsWith(folder) && target.endsWith(' (deleted)') && attempt(() => statSync(path).isFile());
      });
  });
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}
