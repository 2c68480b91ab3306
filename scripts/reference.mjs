// Writes docs/settings.md and docs/organization-settings.md from their tables; run by `npm run docs` after a build.
import { writeFileSync } from 'node:fs';
import { renderSettingsReference } from '../dist/config/reference.js';
import { renderOrgReference } from '../dist/operations/orgreference.js';

const write = (name, text) => writeFileSync(new URL(`../docs/${name}`, import.meta.url), text);

write('settings.md', renderSettingsReference());
write('organization-settings.md', renderOrgReference());
