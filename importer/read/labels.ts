/** The labels that a header may have: the standard ones, and those that an organization has added (rules F7, U15). */
import type { Org } from '../../db/control/orgs.js';
import type { Field } from '../../db/directory/fields.js';
import { labelKey } from './normalize.js';

/** Standard labels of a users file, by the names that the code has for the columns. */
export const userLabels = {
  email: 'User Email',
  userName: 'User Name',
  firstName: 'First Name',
  lastName: 'Last Name',
  managerName: 'Manager',
  managerEmail: 'Manager Email',
  teams: 'Teams',
  accountType: 'User Account Type',
  isAdmin: 'Is Org Admin',
  deactivationDate: 'Deactivation Date',
} as const;

/** As userLabels, of a teams file. */
export const teamLabels = {
  name: 'Team Name',
  ownerEmail: 'Owner Email',
  parent: 'Parent Team',
  type: 'Team Type',
} as const;

/** The label of a column that exports write, and imports read only with `statusWords`; a custom field can't have it. */
export const exportOnly = 'Status';

/** The last two columns of rejected rows: why a row was rejected, and its line. Imports ignore them there. */
export const rejectedLabels = { problem: 'Dropslot Problem', line: 'Dropslot Line' } as const;

export type UserColumn = keyof typeof userLabels;
export type TeamColumn = keyof typeof teamLabels;

/** The labels of one organization beside the standard ones. */
export interface Wording {
  /** Its aliases, by their compared forms: each stands for a standard label. */
  aliases: ReadonlyMap<string, string>;
  /** Compared forms of the labels of its custom fields: none of them is taken for a misspelt standard label. */
  own: ReadonlySet<string>;
  /** Whether a column `Status` is read (rule U12b). */
  readsStatus?: boolean;
  /** The organization's id, for commands in hints. */
  org?: string;
}

/** @param fields the organization's custom fields. */
export function wordingOf(
  { id, options }: Pick<Org, 'options'> & Partial<Pick<Org, 'id'>>,
  fields: readonly Pick<Field, 'label' | 'aliases'>[],
): Wording {
  const { identifier, managerIdentifier } = options;
  const own = fields.map(({ label }) => label).concat(identifier ?? [], managerIdentifier ?? []);
  return {
    ...(id === undefined ? {} : { org: id }),
    readsStatus: options.statusWords !== undefined,
    aliases: new Map(Object.entries(options.aliases ?? {}).map(([label, standard]) => [labelKey(label), standard])),
    own: new Set([...own.map(labelKey), ...fields.flatMap(({ aliases }) => aliases)]),
  };
}
