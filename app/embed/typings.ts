/** Writes the types of settings and of events into `api.d.ts`, from their schemas. */
import { z } from 'zod';
import { settingsSchema } from '../../config/settings.js';
import { replaceWrittenPart } from '../../config/writtenpart.js';
import { eventTypes } from '../../events/types.js';

const marks = { begin: '// Written by `npm run docs`, from here', end: '// to here' };

/** `api.d.ts` with the types of this version. @throws Error when its marks are missing */
export function replaceTypings(file: string): string {
  const types = `${renderSettings()}\n\n${renderEvents()}`;
  return replaceWrittenPart(file, types, 'api.d.ts has no place for the types of settings and events', marks);
}

const fence = '```';

/** docs/embedding.md with all types. @throws Error when its marks are missing */
export function replaceTypesOfPage(page: string, typings: string): string {
  const shown = typings.replace(/^\/\*\*[\s\S]*?\*\/\n+/, '').replace(/^\/\/ (Written by|to here).*\n+/gm, '');
  const text = `${fence}ts\n${shown.trimEnd()}\n${fence}`;
  return replaceWrittenPart(page, text, 'docs/embedding.md has no place for the types');
}

/** Of JSON Schema, as far as the schemas of settings and events need it. */
interface Schema {
  type?: string | string[];
  enum?: readonly unknown[];
  const?: unknown;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  default?: unknown;
  takes?: string;
}

function renderSettings(): string {
  const { properties } = z.toJSONSchema(settingsSchema, { io: 'output' }) as Schema;
  const lines = Object.entries(properties!).flatMap(([name, schema]) => [
    `  /** ${toComment(schema.takes ?? '')} */`,
    `  ${name}?: ${typeOfSetting(schema)};`,
  ]);
  return `/** The settings of docs/settings.md, which has their defaults and meanings. */\nexport interface DropslotSettings {\n${lines.join('\n')}\n}`;
}

/** Sizes, durations and shares also have forms with a unit; lists also are texts with commas. */
function typeOfSetting(schema: Schema): string {
  const { properties = {}, required = [] } = schema;
  // A member with a default may be left out.
  const type = typeOf({ ...schema, required: required.filter((name) => properties[name]?.default === undefined) });
  if (schema.type === 'array') return `${type} | string`;
  return /^(size|duration|share)/.test(schema.takes ?? '') ? `${type} | string` : type;
}

function renderEvents(): string {
  const lines = eventTypes.flatMap(({ name, meaning, data }) => [
    `  /** ${toComment(meaning)} */`,
    `  '${name}': ${typeOf(z.toJSONSchema(data) as Schema)};`,
  ]);
  return `/** The data of each type of event (docs/events.md). Personal data is there only with \`personal: true\`. */\nexport interface EventData {\n${lines.join('\n')}\n}`;
}

function typeOf(schema: Schema): string {
  if (schema.const !== undefined) return literal(schema.const);
  if (schema.enum !== undefined) return schema.enum.map(literal).join(' | ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeOf).join(' | ');
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ ...schema, type })).join(' | ');
  if (schema.type === 'array') return `${inBrackets(typeOf(schema.items ?? {}))}[]`;
  if (schema.type === 'object') return typeOfObject(schema);
  return plainTypes[schema.type ?? ''] ?? 'unknown';
}

const plainTypes: Readonly<Record<string, string>> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  null: 'null',
};

function typeOfObject({ properties = {}, required = [], additionalProperties }: Schema): string {
  const rest = typeof additionalProperties === 'object' ? typeOf(additionalProperties) : 'unknown';
  const names = Object.entries(properties);
  if (names.length === 0)
    return `Record<string, ${typeof additionalProperties === 'object' || additionalProperties !== false ? rest : 'never'}>`;
  const members = names.map(([name, schema]) => `${name}${required.includes(name) ? '' : '?'}: ${typeOf(schema)}`);
  return `{ ${members.join('; ')} }`;
}

function literal(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

function inBrackets(type: string): string {
  return / [|] /.test(type) ? `(${type})` : type;
}

function toComment(text: string): string {
  return text.replaceAll('*/', '* /');
}
