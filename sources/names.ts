/** Decides which names of a place are taken, and under which path they enter. */
import type { SourceConfig } from '../db/control/sources.js';
import { kindOfName, type NameOptions } from '../storage/filename.js';
import { matchesPattern } from '../storage/namepattern.js';
import { checkPath, hasControl, joinPath } from '../storage/path.js';

/** The path in the organization's tree; null: no file there may have this name. */
export function pathOf(into: string, name: string): string | null {
  // U+FFFD: the name is not UTF-8, so that it could not be opened again.
  if (name === '' || name.includes('/') || name.includes('\uFFFD') || hasControl(name)) return null;
  const path = joinPath(into, name);
  try {
    checkPath(path);
    return path;
  } catch {
    return null;
  }
}

/** Whether the name matches the patterns; without patterns, whether it is imported. Unfinished files are never taken. */
export function isWanted({ patterns, into }: SourceConfig, options: NameOptions, name: string): boolean {
  const path = pathOf(into, name);
  if (path === null) return patterns.some((pattern) => matchesPattern(pattern, `/${name.replaceAll('/', '')}`));
  const kind = kindOfName(path, options);
  if (patterns.length === 0) return kind === 'data';
  return kind !== 'unfinished' && patterns.some((pattern) => matchesPattern(pattern, `/${name}`));
}

const mostTries = 1000;

/** The name, or with a number before its ending if it is taken: `users.2.csv`. */
export async function freeName(name: string, isTaken: (name: string) => Promise<boolean>): Promise<string> {
  const dot = name.indexOf('.', 1);
  const [stem, ending] = dot === -1 ? [name, ''] : [name.slice(0, dot), name.slice(dot)];
  for (let number = 1; number < mostTries; number++) {
    const tried = number === 1 ? name : `${stem}.${number}${ending}`;
    if (!(await isTaken(tried))) return tried;
  }
  return `${stem}.${Date.now()}${ending}`;
}
