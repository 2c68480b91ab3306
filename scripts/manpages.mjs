// Writes the manual pages of the built program to dist/man; run by the build. Their names are in the field `man` of package.json.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGroups } from '../dist/cli/groups.js';
import { renderManPages } from '../dist/cli/manpage.js';
import { createProgram } from '../dist/cli/program.js';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const unused = () => Promise.reject(new Error('manual pages run no command'));
const app = { version, serve: unused, runSubsystem: unused, openWorkplace: unused };
const folder = fileURLToPath(new URL('../dist/man/', import.meta.url));

mkdirSync(folder, { recursive: true });
for (const [name, page] of renderManPages(createProgram(await loadGroups(), app), version))
  writeFileSync(`${folder}${name}`, page);
