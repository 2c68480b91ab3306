/** The line of `dropslot --version`. It imports nothing, so that the line needs neither the grammar nor the settings. */
import type { App } from './app.js';

export function describeVersion({ version, build }: Pick<App, 'version' | 'build'>): string {
  return build === undefined ? `dropslot ${version}` : `dropslot ${version} (${build})`;
}
