/** Renders docs/settings.md, the reference of all settings, from their schema. */
import { z } from 'zod';
import type { KindNotes } from './kinds.js';
import { variableOf } from './load.js';
import { settingsSchema } from './settings.js';
import { writeDuration, writeSize } from './units.js';

interface Property extends KindNotes {
  description?: string;
  default?: unknown;
}

const preface = `# Settings

Generated from the schema in \`config/settings.ts\` by \`npm run docs\`. These settings apply to the whole server;
[organization-settings.md](organization-settings.md) has those of one organization.

The value of a setting is taken from the last of these places that has one:

1. its default;
2. the JSON file that \`--config\` names, or else \`dropslot.json\` in the data folder;
3. its environment variable;
4. the command line, for the few settings that are options there: \`--data\`, and \`--port\`, \`--host\`, \`--listen\` and \`--role\` of \`serve\`.

Dropslot does not start with an unknown setting, in the file or as a \`DROPSLOT_…\` variable, or with a value that the setting does not take.

${unitsText()}
`;

/** The paragraphs about sizes and durations, which docs/organization-settings.md has too. */
export function unitsText(): string {
  return `A **size** is a number of bytes, alone or with a unit: \`KB\`, \`MB\`, \`GB\`, \`TB\` (powers of 1000) or \`KiB\`, \`MiB\`, \`GiB\`, \`TiB\`
(powers of 1024): \`20GB\`, \`4GiB\`, \`1048576\`. A **duration** is a number with a unit: \`s\`, \`m\`, \`h\`, \`d\` or \`w\` for seconds, minutes, hours,
days or weeks: \`90s\`, \`30m\`, \`24h\`, \`7d\`. A duration without a unit has the unit in the name of its setting: \`idleMinutes\` = \`30\` is 30 minutes.`;
}

/** Markdown; the same text for the same schema. */
export function renderSettingsReference(): string {
  const { properties } = z.toJSONSchema(settingsSchema, { io: 'output' }) as unknown as {
    properties: Record<string, Property>;
  };
  const rows = Object.entries(properties).map(([name, property]) => [
    `\`${name}\``,
    `\`${variableOf(name)}\``,
    property.takes,
    describeDefault(property),
    property.description ?? '',
  ]);
  return [preface, renderTable(['Setting', 'Variable', 'Takes', 'Default', 'Meaning'], rows), ''].join('\n');
}

/** A Markdown table. */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => '---'), ...rows.map((row) => row.map(escapeCell))];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function describeDefault({ default: value, unit }: Property): string {
  if (Array.isArray(value)) return value.length === 0 ? '–' : `\`${value.join(',')}\``;
  if (value === undefined) return '–';
  if (unit === undefined) return `\`${value}\``;
  return `\`${unit === 'bytes' ? writeSize(Number(value)) : writeDuration(unit, Number(value))}\``;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
