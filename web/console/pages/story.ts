/** The values of a person or a team with the place where each is from, and their changes. */

import type { Org } from '../../../operations/orgdetails.js';
import type { OriginatedChange } from '../../../operations/origins.js';
import { type Html, html, type Value } from '../html.js';
import { table, time } from '../layout.js';
import { texts } from '../texts/texts.js';
import { runPath } from './runview.js';

const p = texts.person;

/** A value of a person or a team, and the change that gave it; null: it was given before changes were recorded. */
interface StoredValue {
  field: string;
  value: string;
  from: OriginatedChange | null;
}

type Place = Pick<Org, 'id' | 'timeZone'>;

export function showStory({ id, timeZone }: Place, story: readonly StoredValue[]): Html {
  return html`<section class="stack"><h2>${p.values}</h2>${table(
    p.values,
    [
      { title: p.field, cell: ({ field: label }) => label },
      { title: p.value, cell: ({ value }) => value },
      { title: p.from, cell: ({ from }) => showOrigin(id, from) },
      { title: p.at, cell: ({ from }) => from !== null && time(from.at, timeZone) },
    ],
    story,
    '',
  )}</section>`;
}

export function showHistory({ id, timeZone }: Place, changes: readonly OriginatedChange[]): Html {
  return html`<section class="stack"><h2>${p.history}</h2>${table(
    p.history,
    [
      { title: p.at, cell: ({ at }) => time(at, timeZone) },
      { title: p.field, cell: ({ field: label }) => (label === '' ? p.created : label) },
      { title: p.before, cell: ({ before }) => before !== null && html`<del>${before}</del>` },
      { title: p.after, cell: (change) => showAfter(change) },
      { title: p.from, cell: (change) => showOrigin(id, change) },
    ],
    changes,
    p.none,
  )}</section>`;
}

/** Of a creation the values, in a few words each. */
function showAfter({ field: label, after }: OriginatedChange): Value {
  if (label !== '' || after === null) return after !== null && html`<ins>${after}</ins>`;
  const values = Object.entries(JSON.parse(after) as Record<string, unknown>);
  return values
    .flatMap(([name, value]) => (typeof value === 'string' && value !== '' ? [`${name}: ${value}`] : []))
    .join('; ');
}

function showOrigin(org: string, from: OriginatedChange | null): Value {
  if (from === null) return p.unknown;
  const { origin, file, line, by, runId } = from;
  const words = {
    file: p.origins.file(file, line),
    person: p.origins.person(by),
    undo: p.origins.undo(),
    schedule: p.origins.schedule(),
  }[origin];
  return [
    words,
    runId !== null && origin !== 'person' && html` · <a href="${runPath({ org, id: runId })}">${p.import(runId)}</a>`,
  ];
}
