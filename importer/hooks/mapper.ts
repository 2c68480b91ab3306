/** Gives a source the hook by which its rows are mapped. */
import type { Source } from '../read/source.js';
import type { LoadedHooks } from './load.js';

export function withMapper(source: Source, hooks: LoadedHooks | null): Source {
  if (hooks?.mapRows === undefined) return source;
  return { ...source, mapper: { map: hooks.mapRows, digest: hooks.digest } };
}
