/** The settings of an organization that change what a row of its files means, as one value: help for the people who send them is made of it. */
import type { OrgOptions } from '../db/control/orgoptions.js';
import type { DateFormat, Org, TeamsMode } from '../db/control/orgs.js';
import { filesBeforeOmission } from '../importer/plan/omission.js';
import { labelKey } from '../importer/read/normalize.js';

export interface RowRules {
  /** The column that identifies a user; null: the email does. */
  identifier: string | null;
  /** The column with the identifiers of managers; null: managers are found by email. */
  managerIdentifier: string | null;
  teams: TeamsMode;
  dateFormat: DateFormat;
  timeZone: string;
  /** Words that are blank cells; null: the usual ones. */
  nullWords: readonly string[] | null;
  clearToken: string | null;
  /** Full files in a row after which a missing user is deactivated; null: absence means nothing. */
  omittedFiles: number | null;
  /** null: no status is read. */
  statusWords: NonNullable<OrgOptions['statusWords']> | null;
  createMissing: 'yes' | 'no' | 'hold';
  /** Labels of fields that files may not always change. */
  ownedByPeople: readonly string[];
  filledOnce: readonly string[];
  needsDot: boolean;
}

export function readRowRules(org: Pick<Org, 'teamsMode' | 'dateFormat' | 'timeZone' | 'options'>): RowRules {
  const { teamsMode: teams, dateFormat, timeZone, options } = org;
  const { identifier = null, managerIdentifier = null, nullWords = null, clearToken = null } = options;
  const owners = Object.entries(options.fieldOwners ?? {});
  const ownedBy = (owner: 'people' | 'once') => owners.flatMap(([label, one]) => (one === owner ? [label] : []));
  return {
    ...{ identifier, teams, dateFormat, timeZone, nullWords, clearToken },
    // Without an identifier the importer does not read it.
    managerIdentifier: identifier === null ? null : managerIdentifier,
    omittedFiles: filesBeforeOmission(org),
    statusWords: options.statusWords ?? null,
    createMissing: options.createMissing ?? 'yes',
    ownedByPeople: ownedBy('people'),
    filledOnce: ownedBy('once'),
    needsDot: options.requireDottedDomain ?? true,
  };
}

/** Whether two column names are one for an import. */
export function isSameColumn(label: string, other: string): boolean {
  return labelKey(label) === labelKey(other);
}
