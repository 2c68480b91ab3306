/** The order in which the changes of a run are shown: those that do most harm when they are wrong come first. */

/** One change of a run, planned or made. */
export interface ShownChange {
  /** Planned: the place of the file in the run. Made: the id of the upload. null: no file made it. */
  source: number | null;
  line: number | null;
  entity: 'user' | 'team' | 'field';
  /** Of a user the email, as it was before the change where it is planned. */
  name: string;
  /** A label; '' for the creation itself. */
  field: string;
  before: string | null;
  after: string | null;
  /** Of a creation: the values by label; else null. */
  values: Readonly<Record<string, string>> | null;
  /** Of a change that is made. */
  place?: Place;
}

/** The place of a change in the list. */
export interface Place {
  rank: number;
  id: number;
}

/** Ranks are 0 to this. */
export const lastRank = 7;
const createdAdmin = 2;

/**
 * Rank of the change `c`, as SQL: deactivations, dates of them, admins, renames, managers, memberships that end, the rest,
 * creations.
 * @param isCreatedAdmin SQL: whether `c`, the creation of a user, makes an admin.
 */
export function rankOfChange(isCreatedAdmin: string): string {
  return `CASE WHEN c.field = '' THEN CASE WHEN c.entity <> 'user' THEN ${lastRank}
      WHEN ${isCreatedAdmin} THEN ${createdAdmin} ELSE ${lastRank} END
    WHEN c.entity <> 'user' THEN 6 WHEN c.field = 'Status' THEN 0 WHEN c.field = 'Deactivation Date' THEN 1
    WHEN c.field = 'Is Org Admin' THEN ${createdAdmin} WHEN c.field = 'User Email' THEN 3
    WHEN c.field = 'Manager Email' THEN 4 WHEN c.field = 'Teams' AND c.before IS NOT NULL THEN 5 ELSE 6 END`;
}

/** The order in which the values of a new user, team or field are shown: PostgreSQL's JSON keeps none. */
const labelOrder = [
  ...['User Email', 'User Name', 'First Name', 'Last Name', 'Manager Email', 'User Account Type', 'Is Org Admin'],
  ...['Deactivation Date', 'Status', 'Team Name', 'Owner Email', 'Parent Team', 'Team Type', 'label', 'type'],
];

/** Leaves out nulls; `custom`: values of custom fields by the field's id. */
export function valuesByLabel(
  values: Readonly<Record<string, string | null>>,
  custom: Readonly<Record<string, string>>,
  labels: ReadonlyMap<string, string>,
): Record<string, string> {
  const own = Object.entries(custom)
    .map(([id, value]): [string, string] => [labels.get(id) ?? id, value])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const given = Object.entries(values)
    .filter((pair): pair is [string, string] => pair[1] !== null)
    .sort(([a], [b]) => labelOrder.indexOf(a) - labelOrder.indexOf(b));
  return Object.fromEntries([...given, ...own]);
}

/** Values of a new user that are left out for people: the defaults. */
const usual: Readonly<Record<string, string>> = {
  'User Account Type': 'Regular',
  'Is Org Admin': 'No',
  Status: 'active',
};

/** The column of a change, for people. */
export function nameColumn({ field }: Pick<ShownChange, 'field'>): string {
  return field === '' ? '(created)' : field;
}

/** The value after a change; of a creation its values, but for the usual ones. null: none. */
export function describeAfter({ after, values, name }: Pick<ShownChange, 'after' | 'values' | 'name'>): string | null {
  if (values === null) return after;
  const shown = Object.entries(values).filter(([label, value]) => value !== usual[label] && value !== name);
  return shown.length === 0 ? null : shown.map((pair) => pair.join(': ')).join('; ');
}
