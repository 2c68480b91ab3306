/** Which Dropslot this is. */
import { existsSync, readFileSync } from 'node:fs';

/** The manifest stands beside the rooms in the sources, and one folder further up from the built ones in `dist/`. */
export function readVersion(): string {
  const beside = new URL('../package.json', import.meta.url);
  const manifest = readFileSync(existsSync(beside) ? beside : new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
