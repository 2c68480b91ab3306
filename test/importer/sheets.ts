/**
 * Random files for the model: few people, teams and values, so that they collide, repeat, close rings and contradict. Many a
 * file is an earlier one sent again with some rows changed, as those of an HR system are.
 */
import { stringify } from 'csv-stringify/sync';
import { fc } from '../support/properties.js';
import type { ModelFile } from './model.js';

type Rows = Pick<ModelFile, 'header' | 'rows'>;

export interface Step {
  files: ModelFile[];
  /** Whole days since the run before. */
  days: number;
  /** Whether scheduled deactivations had their turn meanwhile. */
  isPunctual: boolean;
}

export interface History {
  replacesTeams: boolean;
  dateFormat: 'auto' | 'mdy' | 'dmy';
  /** Whether `Staff No` is the identifier column. */
  isIdentified: boolean;
  createMissing: 'yes' | 'no' | 'hold';
  /** Whether there is a clear token. */
  clears: boolean;
  /** Limits of the guard (G1); null: those that few users never meet. */
  guard: { maxDeactivations: string; maxAdminChanges: number } | null;
  steps: Step[];
}

/** The day of the first import is 2026-03-11 at UTC+5:30. */
export const firstImport = Date.UTC(2026, 2, 10, 20);

const mostly = (often: fc.Arbitrary<string>, rarely: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 6, arbitrary: often }, { weight: 1, arbitrary: rarely });
/** U4a: empties a value in organizations that have the token; in others the cell is blank. */
export const clearToken = '<clear>';
const blankOr = (value: fc.Arbitrary<string>) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    { weight: 6, arbitrary: value },
    { weight: 1, arbitrary: fc.constantFrom(clearToken, ' <CLEAR>') },
  );

const address = fc.constantFrom('owner@x.test', 'a@x.test', 'b@x.test', 'c@x.test', 'd@x.test', 'B@x.test', 'C@X.test');
export const email = mostly(
  address,
  fc.constantFrom('', 'nobody', 'e@x.test ', ' a@x.test', 'f@x.test', 'g@x.test', 'tom@acme', "'a@x.test", 'N/A'),
);
const team = fc.constantFrom('Sales', 'sales', 'Big  Team', 'big team', 'Ops', 'R&D', 'Law');
const date = fc.constantFrom(
  ...['2026-03-11', '2026-03-12', '2026-03-13', '2026-3-9', '2026-03-20', '2020-01-31', '11/03/2026', '03/11/2026'],
  ...['12/03/2026', '03/12/2026', '13/03/2026', '03/13/2026', '30/02/2026', '3/3/2026', 'soon'],
  ...['12/31/9999', '01/02/3000', '1900-01-01', '12/30/1899', '00/00/0000', 'N/A'],
  ...['20.03.2026', '20-Mar-2026', '20260320', '2026-03-12T08:00:00Z', '12/03/2026 00:00:00', '46100'],
);

export const userColumns: Record<string, fc.Arbitrary<string>> = {
  'User Name': blankOr(fc.constantFrom('Ann', 'Ann  A', 'Bob', 'Ünal "X"')),
  'First Name': blankOr(fc.constantFrom('Ann', 'Bob')),
  'Last Name': blankOr(fc.constantFrom('Lee', "O'Hara")),
  Manager: blankOr(fc.constantFrom('Mia', 'Max')),
  'Manager Email': blankOr(email),
  Teams: blankOr(fc.array(team, { minLength: 1, maxLength: 3 }).map((names) => names.join(','))),
  'User Account Type': blankOr(fc.constantFrom('Regular', 'Observer', 'observer', 'Guest', 'none')),
  'Is Org Admin': blankOr(fc.constantFrom('Yes', 'No', 'no', 'YES', 'maybe', 'FALSE', '1', 'y', '-')),
  'Deactivation Date': blankOr(date),
  'Staff No': blankOr(fc.constantFrom('1', '2', '3', '04')),
  Office: blankOr(fc.constantFrom('Rome', 'Łódź "1"', 'a\\b', '007', 'Yes', 'N/A')),
  Start: blankOr(date),
  Remote: blankOr(
    mostly(fc.constantFrom('Yes', 'no', 'TRUE', 'False'), fc.constantFrom('often', 'N', '1', 'N/A', '-')),
  ),
};

const teamColumns: Record<string, fc.Arbitrary<string>> = {
  'Owner Email': blankOr(email),
  'Parent Team': blankOr(team),
  'Team Type': blankOr(fc.constantFrom('Region', 'Squad', '-')),
};

function sheet(key: string, keys: fc.Arbitrary<string>, columns: typeof userColumns): fc.Arbitrary<Rows> {
  return fc.shuffledSubarray(Object.keys(columns)).chain((chosen) => {
    const header = [key, ...chosen];
    const row = fc
      .tuple(keys, ...chosen.map((label) => columns[label]!))
      .filter((cells) => cells.some((cell) => cell !== ''));
    return fc.array(row, { minLength: 1, maxLength: 7 }).map((rows) => ({ header, rows }));
  });
}

const usersSheet = sheet('User Email', email, userColumns);
export const teamsSheet = sheet('Team Name', mostly(team, fc.constant('')), teamColumns);

/** What becomes of a row, or of a cell, when a file is sent again; numbers count around. */
interface Edit {
  kind: 'cell' | 'row' | 'add' | 'drop' | 'swap';
  row: number;
  other: number;
  column: number;
  /** Values for every column that there is. */
  values: Record<string, string>;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('cell', 'cell', 'row', 'add', 'drop', 'swap'),
  row: fc.nat(6),
  other: fc.nat(6),
  column: fc.nat(13),
  values: fc.record({ 'User Email': email, 'Team Name': team, ...userColumns, ...teamColumns }),
});

/** A file as it is, or which earlier file of the history is sent again, and how it has changed. */
type Draft = Rows | { again: number; edits: Edit[] };

const draft: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 3, arbitrary: usersSheet },
  { weight: 2, arbitrary: teamsSheet },
  { weight: 4, arbitrary: fc.record({ again: fc.nat(8), edits: fc.array(edit, { maxLength: 3 }) }) },
);

function change({ header, rows }: Rows, edits: readonly Edit[]): Rows {
  const changed = rows.map((row) => [...row]);
  for (const { kind, row, other, column, values } of edits) {
    const [at, place] = [row % changed.length, column % header.length];
    const fresh = header.map((label) => values[label]!);
    if (kind === 'drop' && changed.length > 1) changed.splice(at, 1);
    else if (kind === 'add') changed.push(fresh);
    else if (kind === 'row') changed[at] = fresh;
    else if (kind === 'cell') changed[at]![place] = fresh[place]!;
    else if (kind === 'swap') {
      const [one, two] = [changed[at]!, changed[other % changed.length]!];
      [one[place], two[place]] = [two[place]!, one[place]!];
    }
  }
  // A row without any value is none.
  return { header, rows: changed.every(isBlank) ? rows : changed.filter((row) => !isBlank(row)) };
}

function isBlank(row: readonly string[]): boolean {
  return row.every((cell) => cell === '');
}

const steps: fc.Arbitrary<Step[]> = fc
  .array(
    fc.record({
      drafts: fc.array(draft, { minLength: 1, maxLength: 3 }),
      days: fc.constantFrom(0, 0, 1, 2, 10),
      isPunctual: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((drafted) => {
    const sent: Rows[] = [];
    return drafted.map(({ drafts, ...when }) => {
      const files = drafts.map((one, place) => {
        const base = 'rows' in one ? one : (sent[one.again % Math.max(sent.length, 1)] ?? firstSheet);
        const sheet = 'rows' in one ? one : change(base, one.edits);
        sent.push(sheet);
        return { name: `${place}.csv`, ...sheet };
      });
      return { files, ...when };
    });
  });

/** Sent again where nothing was sent before. */
const firstSheet: Rows = {
  header: ['User Email', 'Staff No', 'Manager Email', 'Is Org Admin', 'Deactivation Date'],
  rows: [
    ['owner@x.test', '1', '', 'Yes', ''],
    ['a@x.test', '2', 'owner@x.test', 'No', ''],
    ['b@x.test', '3', 'a@x.test', '', '2026-03-20'],
    ['c@x.test', '', 'a@x.test', '', ''],
  ],
};

export const history: fc.Arbitrary<History> = fc
  .record({
    replacesTeams: fc.boolean(),
    dateFormat: fc.constantFrom('auto', 'auto', 'mdy', 'dmy'),
    isIdentified: fc.boolean(),
    createMissing: fc.constantFrom('yes', 'yes', 'no', 'hold'),
    guard: fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      {
        weight: 1,
        arbitrary: fc.record({
          maxDeactivations: fc.constantFrom('0', '1', '2'),
          maxAdminChanges: fc.constantFrom(0, 1, 2),
        }),
      },
    ),
    clears: fc.boolean(),
    steps,
  })
  .map((course) => (course.clears ? course : { ...course, steps: course.steps.map(dropTokens) }));

function dropTokens({ files, ...when }: Step): Step {
  return { ...when, files: files.map(({ rows, ...file }) => ({ ...file, rows: blankTokens(rows) })) };
}

/** A row of tokens only is left as it is: it would be none. */
function blankTokens(rows: readonly string[][]): string[][] {
  return rows.map((row) => {
    const blank = row.map((cell) => (/<clear>/i.test(cell) ? '' : cell));
    return isBlank(blank) ? row.map((cell, place) => (place === 0 && cell === '' ? 'nobody' : '')) : blank;
  });
}

/** A users file, and the same rows in another order among rows that are rejected. No line of it speaks of another. */
export const mixedSheets: fc.Arbitrary<[Rows, Rows]> = fc
  .shuffledSubarray(Object.keys(userColumns).filter((label) => !/Manager|Admin|Teams/.test(label)))
  .chain((chosen) => {
    const header = ['User Email', ...chosen];
    const cells = chosen.map((label) => userColumns[label]!);
    const rows = fc.uniqueArray(fc.tuple(fc.constantFrom('a@x.test', 'b@x.test', 'c@x.test', 'd@x.test'), ...cells), {
      selector: ([address]) => address,
      minLength: 1,
    });
    const rejected = fc.array(fc.tuple(fc.constantFrom('', 'nobody'), ...cells), { maxLength: 4 });
    return fc.tuple(rows, rejected).chain(([good, bad]) => {
      const all: string[][] = [...good, ...bad];
      return fc.shuffledSubarray(all, { minLength: all.length }).map((mixed): [Rows, Rows] => [
        { header, rows: blankTokens(good) },
        { header, rows: blankTokens(mixed) },
      ]);
    });
  });

export function render({ header, rows }: Rows): string {
  return stringify([header, ...rows]);
}
