/** Puts the mistakes of a real export into the demo's files. */
import type { DateTime } from 'luxon';

export interface Mistake {
  file: 'users.csv' | 'teams.csv';
  /** The lines that may report it: a ring is reported on one of its lines. */
  lines: number[];
  severity: 'fault' | 'warning';
  about: string;
}

/** Adds some leavers, a few unusual but valid rows, and the mistakes of a real export. */
export function spoilUsers(rows: string[][], labels: readonly string[], today: DateTime): Mistake[] {
  const members = rows.filter((row) => /^(?!Lead|VP|Chief)/.test(row[labels.indexOf('Job Title')]!));
  const at = (index: number): string[] => members[index]!;
  const lineOf = (row: string[]): number => rows.indexOf(row) + 2;
  const set = (row: string[], label: string, value: string): string[] => {
    row[labels.indexOf(label)] = value;
    return row;
  };
  const mistakes: Mistake[] = [];
  const spoil = (severity: Mistake['severity'], about: string, ...wrong: string[][]): void => {
    mistakes.push({ file: 'users.csv', lines: wrong.map(lineOf), severity, about });
  };

  set(at(20), 'Deactivation Date', asDate(today.minus({ months: 1 }).set({ day: 20 })));
  set(at(90), 'Deactivation Date', asDate(today.plus({ months: 2 }).set({ day: 28 })));
  set(at(33), 'Teams', `${at(33)[labels.indexOf('Teams')]}, Book Club`); // a team in no row of teams.csv

  spoil('fault', 'an invalid email', set(at(12), 'User Email', at(12)[0]!.replace('@', '(at)')));
  spoil('fault', 'no email', set(at(61), 'User Email', ''));
  const twin = set([...at(75)], 'Location', 'Porto');
  rows.splice(rows.indexOf(at(76)), 0, twin);
  spoil('fault', 'the same email in two rows that differ', at(75));
  spoil('fault', 'the same email in two rows that differ', twin);
  spoil('fault', 'an unquoted comma makes a cell too many', at(110));
  at(110).splice(labels.indexOf('Teams'), 0, 'Acme');
  spoil('warning', '30 February', set(at(45), 'Deactivation Date', `02/30/${today.year + 1}`));
  spoil('warning', 'an unknown account type', set(at(52), 'User Account Type', 'Contractor'));
  spoil('warning', 'neither Yes nor No', set(at(101), 'Is Org Admin', 'maybe'));
  spoil('warning', 'an invalid address of a manager', set(at(130), 'Manager Email', 'see contract'));
  spoil('warning', 'their own manager', set(at(140), 'Manager Email', at(140)[0]!));
  const lead = rows.find((row) => row[labels.indexOf('Job Title')] === 'Lead, Growth')!;
  const report = rows.find((row) => row[labels.indexOf('Manager Email')] === lead[0])!;
  set(lead, 'Manager Email', report[0]!);
  mistakes.push({
    file: 'users.csv',
    lines: [lineOf(lead), lineOf(report)],
    severity: 'warning',
    about: 'two people who manage each other',
  });
  return mistakes;
}

export function spoilTeams(rows: string[][], ownerEmail: string): Mistake[] {
  rows.push(['Tools', ownerEmail, 'Tools', 'Squad', 'CC-1185']);
  rows.push(['', ownerEmail, 'Operations', 'Squad', '']);
  return [
    { file: 'teams.csv', lines: [1], severity: 'warning', about: 'a column that teams do not have' },
    { file: 'teams.csv', lines: [rows.length], severity: 'warning', about: 'a team that is its own parent' },
    { file: 'teams.csv', lines: [rows.length + 1], severity: 'fault', about: 'a team without a name' },
  ];
}

/** As the United States write it: mm/dd/yyyy. */
export function asDate(date: DateTime): string {
  return date.toFormat('MM/dd/yyyy');
}
