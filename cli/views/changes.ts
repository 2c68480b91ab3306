/** The changes of a run, made or planned, for people and as JSON. */

import { describeAfter, nameColumn, type RunChange } from '../../operations/changes.js';
import { changeToJson } from '../../operations/forms/runs.js';
import type { ListView } from '../output.js';

export const changeList: ListView<RunChange> = {
  columns: [
    { title: 'FILE', cell: ({ file }) => file ?? '–' },
    { title: 'LINE', cell: ({ line }) => (line === null ? '–' : String(line)), align: 'right' },
    { title: 'WHAT', cell: ({ entity }) => entity },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'COLUMN', cell: nameColumn },
    { title: 'BEFORE', cell: ({ before }) => before ?? '–' },
    { title: 'AFTER', cell: (change) => describeAfter(change) ?? '–' },
  ],
  empty: 'No changes.',
  toJson: changeToJson,
};
