// Writes the table of codes in docs/import-rules.md; run by `npm run docs` after a build.
import { readFileSync, writeFileSync } from 'node:fs';
import { replaceCodeTable } from '../dist/importer/codetable.js';

const page = new URL('../docs/import-rules.md', import.meta.url);
writeFileSync(page, replaceCodeTable(readFileSync(page, 'utf8')));
