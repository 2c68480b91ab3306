/** The settings reference, docs/settings.md, as the schema tells it. */
import { z } from 'zod';
import { variableOf } from './load.js';
import { settingsSchema } from './settings.js';

interface Property {
  description?: string;
  default?: unknown;
  enum?: string[];
  type?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
}

const preface = `# Settings

Generated from the schema in \`config/settings.ts\` by \`npm run docs\`.

A setting comes from, later ones winning:

1. its default;
2. the JSON file that \`--config\` names, or \`dropslot.json\` in the data folder;
3. its environment variable;
4. the command line, for the few that have an option there (\`--data\`, and \`--port\`, \`--host\`, \`--listen\`, \`--role\` of \`serve\`).

An unknown setting, in the file or as a \`DROPSLOT_…\` variable, is refused, and so is a value that does not fit.
`;

/** Markdown; the same text for the same schema. */
export function renderSettingsReference(): string {
  const { properties } = z.toJSONSchema(settingsSchema, { io: 'output' }) as { properties: Record<string, Property> };
  const rows = Object.entries(properties).map(([name, property]) => {
    const cells = [`\`${name}\``, `\`${variableOf(name)}\``, describeType(property), describeDefault(property)];
    return `| ${[...cells, property.description ?? ''].map(escapeCell).join(' | ')} |`;
  });
  const header = ['Setting', 'Variable', 'Takes', 'Default', 'Meaning'];
  return [preface, `| ${header.join(' | ')} |`, `|${header.map(() => ' --- |').join('')}`, ...rows, ''].join('\n');
}

function describeType(property: Property): string {
  if (property.enum !== undefined) return property.enum.map((choice) => `\`${choice}\``).join(', ');
  if (property.type === 'array') return 'list';
  if (property.type !== 'integer' && property.type !== 'number') return 'text';
  const kind = property.type === 'integer' ? 'whole number' : 'number';
  const { minimum, exclusiveMinimum, maximum } = property;
  const bound = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (bound !== undefined) return `${kind}, ${minimum ?? 0} to ${bound}`;
  if (exclusiveMinimum !== undefined) return `${kind} above ${exclusiveMinimum}`;
  return minimum === undefined ? kind : `${kind} from ${minimum}`;
}

function describeDefault(property: Property): string {
  const given = Array.isArray(property.default) ? property.default.join(',') || undefined : property.default;
  return given === undefined ? '–' : `\`${given}\``;
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}
