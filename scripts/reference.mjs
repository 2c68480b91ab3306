// Writes docs/settings.md from the schema of settings, and the table of codes; run by `npm run docs` after a build.
import './codetable.mjs';
import { writeFileSync } from 'node:fs';
import { renderSettingsReference } from '../dist/config/reference.js';

writeFileSync(new URL('../docs/settings.md', import.meta.url), renderSettingsReference());
