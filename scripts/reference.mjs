// Writes docs/settings.md, docs/organization-settings.md, the tables of codes, of events and of requests of the API, the types of the
// package, and the list of manual pages in package.json, from their sources; run by `npm run docs` after a build.
import './codetable.mjs';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { replaceTypesOfPage, replaceTypings } from '../dist/app/embed/typings.js';
import { renderSettingsReference } from '../dist/config/reference.js';
import { replaceEventsTable } from '../dist/events/reference.js';
import { renderOrgReference } from '../dist/operations/orgsettings/reference.js';
import { replaceCommandTables } from '../dist/web/api/commands.js';

const write = (name, text) => writeFileSync(new URL(`../docs/${name}`, import.meta.url), text);

write('settings.md', renderSettingsReference());
write('organization-settings.md', renderOrgReference());
const events = new URL('../docs/events.md', import.meta.url);
writeFileSync(events, replaceEventsTable(readFileSync(events, 'utf8')));
const api = new URL('../docs/api.md', import.meta.url);
writeFileSync(api, replaceCommandTables(readFileSync(api, 'utf8')));
const typings = new URL('../app/embed/api.d.ts', import.meta.url);
const types = replaceTypings(readFileSync(typings, 'utf8'));
writeFileSync(typings, types);
writeFileSync(new URL('../dist/app/embed/api.d.ts', import.meta.url), types);
const embedding = new URL('../docs/embedding.md', import.meta.url);
writeFileSync(embedding, replaceTypesOfPage(readFileSync(embedding, 'utf8'), types));

const manifest = new URL('../package.json', import.meta.url);
const { man: _man, ...rest } = JSON.parse(readFileSync(manifest, 'utf8'));
const pages = readdirSync(new URL('../dist/man/', import.meta.url)).sort();
const entries = Object.entries(rest).flatMap(([key, value]) =>
  key === 'bin'
    ? [
        [key, value],
        ['man', pages.map((page) => `./dist/man/${page}`)],
      ]
    : [[key, value]],
);
writeFileSync(manifest, `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`);
