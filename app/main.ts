#!/usr/bin/env node
/** The `dropslot` command. Its version needs no other module: scripts ask for it often, and the rest takes longer to load than Node.js. */
import { describeVersion } from '../cli/version.js';
import { readBuild, readVersion } from '../config/environment.js';

const release = {
  version: readVersion(),
  build: `build ${readBuild()}, Node.js ${process.version}, ${process.platform} ${process.arch}`,
};
const [word, ...others] = process.argv.slice(2);
if (others.length === 0 && (word === '--version' || word === '-V'))
  process.stdout.write(`${describeVersion(release)}\n`);
else await (await import('./command.js')).runCommand(release);
