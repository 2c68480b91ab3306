/** How many importers a node has at most. */
import { availableParallelism } from 'node:os';
import type { Settings } from './settings.js';

const mostByDefault = 9;

export function mostImporters({ importers }: Pick<Settings, 'importers'>, cores = availableParallelism()): number {
  return importers ?? Math.min(cores + 1, mostByDefault);
}
