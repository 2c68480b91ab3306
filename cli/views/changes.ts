/** The changes of a run, made or planned, for people and as JSON. */
import type { RunChange } from '../../operations/changes.js';
import type { ListView } from '../output.js';

/** Values of a new user that are left out for people: the defaults. */
const usual: Readonly<Record<string, string>> = {
  'User Account Type': 'Regular',
  'Is Org Admin': 'No',
  Status: 'active',
};

export const changeList: ListView<RunChange> = {
  columns: [
    { title: 'FILE', cell: ({ file }) => file ?? '–' },
    { title: 'LINE', cell: ({ line }) => (line === null ? '–' : String(line)), align: 'right' },
    { title: 'WHAT', cell: ({ entity }) => entity },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'COLUMN', cell: nameColumn },
    { title: 'BEFORE', cell: ({ before }) => before ?? '–' },
    { title: 'AFTER', cell: describeAfter },
  ],
  empty: 'No changes.',
  toJson: (change) => {
    const { file, line, entity: what, name, before, after, values } = change;
    return { file, line, what, name, column: nameColumn(change), before, after, created: values };
  },
};

function nameColumn({ field }: RunChange): string {
  return field === '' ? '(created)' : field;
}

function describeAfter({ after, values, name }: RunChange): string {
  if (values === null) return after ?? '–';
  const shown = Object.entries(values).filter(([label, value]) => value !== usual[label] && value !== name);
  return shown.length === 0 ? '–' : shown.map((pair) => pair.join(': ')).join('; ');
}
