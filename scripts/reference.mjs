// Writes docs/settings.md from the settings' schema; run by `npm run docs` after a build.
import { writeFileSync } from 'node:fs';
import { renderSettingsReference } from '../dist/config/reference.js';

writeFileSync(new URL('../docs/settings.md', import.meta.url), renderSettingsReference());
