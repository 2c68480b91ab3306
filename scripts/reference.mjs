// Writes docs/settings.md, docs/organization-settings.md, and the tables of codes and of events, from their sources; run by `npm run docs` after a build.
import './codetable.mjs';
import { readFileSync, writeFileSync } from 'node:fs';
import { renderSettingsReference } from '../dist/config/reference.js';
import { replaceEventsTable } from '../dist/events/reference.js';
import { renderOrgReference } from '../dist/operations/orgsettings/reference.js';

const write = (name, text) => writeFileSync(new URL(`../docs/${name}`, import.meta.url), text);

write('settings.md', renderSettingsReference());
write('organization-settings.md', renderOrgReference());
const events = new URL('../docs/events.md', import.meta.url);
writeFileSync(events, replaceEventsTable(readFileSync(events, 'utf8')));
