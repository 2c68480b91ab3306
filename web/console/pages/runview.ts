/** Parts that pages about imports share. */
import { OperationError } from '../../../operations/error.js';
import type { HeldChanges } from '../../../operations/problems.js';
import { getRun } from '../../../operations/runs.js';
import { type Run, summaryOf } from '../../../operations/runsummary.js';
import { type Html, html, path, type Value } from '../html.js';
import { type Column, table, tag, time } from '../layout.js';
import type { OrgCall } from '../route.js';
import { texts } from '../texts/texts.js';

const t = texts.imports;

/** The run of the path, if it is of the organization; one of another looks like one that does not exist. @throws OperationError `not_found` */
export async function ownRun({ workplace, org, params }: OrgCall): Promise<Run> {
  const run = await getRun(workplace, params.run ?? '');
  if (run.org !== org.id) throw new OperationError('not_found', 'no such import');
  return run;
}

export function runPath({ org, id }: Pick<Run, 'org' | 'id'>, rest = ''): string {
  return path`/orgs/${org}/imports/${id}` + rest;
}

export function stateTag(run: Run): Html {
  const [tone, word] = t.states[run.state];
  return tag(tone, word);
}

/** Users that the import left as the file says: the numbers of one run. */
export function countsOf(run: Run): { upToDate: number; faults: number; warnings: number; refused: number } {
  const summary = summaryOf(run);
  if (summary === null) return { upToDate: 0, faults: 0, warnings: 0, refused: 0 };
  const { users, teams } = summary;
  return {
    upToDate: users.created + users.updated + users.unchanged,
    faults: users.faults + teams.faults,
    warnings: users.warnings + teams.warnings,
    refused: users.refused + teams.refused,
  };
}

export function problemTags(run: Run): Value {
  const { faults, warnings, refused } = countsOf(run);
  if (faults + warnings + refused === 0) return summaryOf(run) === null ? '' : t.none;
  return [
    refused > 0 && html`${tag('bad', t.refused(refused))} `,
    faults > 0 && html`${tag('bad', t.faults(faults))} `,
    warnings > 0 && tag('wait', t.warnings(warnings)),
  ];
}

/** @param more columns after the first one */
export function runTable(
  name: string,
  runs: readonly Run[],
  timeZone: string,
  more: readonly Column<Run>[] = [],
): Html {
  return table(
    name,
    [
      { title: t.begun, cell: (run) => html`<a href="${runPath(run)}">${time(run.openedAt, timeZone)}</a>` },
      ...more,
      { title: t.kind, cell: ({ kind }) => t.kinds[kind] },
      { title: t.state, cell: stateTag },
      { title: t.users, cell: describeUsers },
      { title: t.problems, cell: problemTags },
    ],
    runs,
    t.empty,
  );
}

/** Changes that an import would make. */
export function changeTable(name: string, rows: HeldChanges['rows'], empty: string): Html {
  const words = texts.run;
  return table(
    name,
    [
      { title: words.who, cell: ({ who }) => who },
      { title: words.field, cell: ({ column }) => column },
      { title: words.before, cell: ({ before }) => html`<del>${before}</del>` },
      { title: words.after, cell: ({ after }) => html`<ins>${after}</ins>` },
    ],
    rows,
    empty,
  );
}

/** `3 created, 12 updated` */
function describeUsers(run: Run): string {
  const counts = summaryOf(run)?.users;
  if (counts === undefined) return '';
  const { created, updated, deactivated, unchanged } = counts;
  const words = texts.counts;
  const parts = [
    [created, words.created],
    [updated, words.updated],
    [deactivated, words.deactivated],
    [unchanged, words.unchanged],
  ] as const;
  return parts.flatMap(([count, word]) => (count > 0 ? [word(count)] : [])).join(', ') || t.none;
}
