/** Gives a source the hook by which its rows are mapped. */
import type { Source } from '../read/source.js';
import type { LoadedHooks } from './load.js';

export function withMapper(source: Source, hooks: LoadedHooks | null): Source {
  if (hooks?.mapRow === undefined) return source;
  const { mapRow, digest } = hooks;
  return { ...source, mapper: { map: (row) => mapRow(row), digest } };
}
