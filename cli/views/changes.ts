/** How the changes of a run are shown, made or planned. */
import type { RunChange } from '../../operations/changes.js';
import type { ListView } from '../output.js';

/** What every new user has unless a file says otherwise: left out for people. */
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
  empty: 'Nothing.',
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
  const told = Object.entries(values).filter(([label, value]) => value !== usual[label] && value !== name);
  return told.length === 0 ? '–' : told.map((pair) => pair.join(': ')).join('; ');
}
