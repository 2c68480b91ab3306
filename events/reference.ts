/** Makes the JSON Schemas of events, and the table of types in docs/events.md, from the table in `types.ts`. */
import { z } from 'zod';
import { replaceWrittenPart } from '../config/writtenpart.js';
import { eventVersion } from './envelope.js';
import { type EventType, eventTypes } from './types.js';

/** Of the whole event: the envelope with the data of its type. */
export function schemaOf({ name, meaning, data }: EventType): Record<string, unknown> {
  const envelope = z.strictObject({
    id: z.string().regex(/^evt_[0-9a-f]{26}$/),
    type: z.literal(name),
    org: z.string().nullable(),
    at: z.iso.datetime(),
    version: z.literal(eventVersion),
    run: z.number().int().optional(),
    data,
  });
  return { ...z.toJSONSchema(envelope), title: name, description: meaning };
}

/** docs/events.md with the table of this version. @throws Error when its marks are missing */
export function replaceEventsTable(page: string): string {
  return replaceWrittenPart(page, renderEventsReference(), 'docs/events.md has no place for the table of types');
}

/** Markdown: each type with its meaning, the keys of its data, and an example. */
function renderEventsReference(): string {
  const rows = eventTypes.map(({ name, meaning, data, personal, example }) => {
    const keys = Object.keys(data.shape).map((key) => (personal.includes(key) ? `${key} (personal)` : key));
    const cells = [`\`${name}\``, meaning, keys.join(', '), `\`${JSON.stringify(example)}\``];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return ['| type | recorded when | `data` | example of `data` |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
