/** The meaning of each column of a file for one organization, with proposals for columns that are probably standard ones. */
import type { Org } from '../db/control/orgs.js';
import { listFields } from '../db/directory/fields.js';
import { RefusalError } from '../importer/codes.js';
import { countOwn, type Header, readHeader } from '../importer/read/header.js';
import { teamLabels, userLabels, wordingOf } from '../importer/read/labels.js';
import { findNearMiss } from '../importer/read/nearmiss.js';
import { labelKey } from '../importer/read/normalize.js';
import type { Row } from '../importer/read/parse.js';
import { rankOf } from '../importer/read/vendorlabels.js';
import { OperationError } from './error.js';
import { setOrganization } from './orgs.js';
import { readOrgFields } from './orgsettings/orgsettings.js';
import type { Workplace } from './workplace.js';

export interface MappedColumn {
  /** As the file writes it. */
  label: string;
  /** `standard`: it is read as `as`. `custom`: it is a custom field, `isNew` where the import would create it. */
  meaning: 'standard' | 'custom' | 'ignored';
  /** The standard label; null for other columns. */
  as: string | null;
  isNew: boolean;
  /** The standard label that it probably stands for; null: none. */
  proposal: string | null;
}

export interface ColumnMapping {
  columns: MappedColumn[];
  /** The standard labels that a column may stand for, those that the file has left out. */
  free: string[];
}

/** Names that HR systems give to standard columns; those of addresses are in the importer's dictionary. */
const known: Readonly<Record<string, readonly string[]>> = {
  [userLabels.userName]: [
    'Full Name',
    'Display Name',
    'Preferred Name',
    'Employee Name',
    'Worker',
    'Name',
    'Anzeigename',
  ],
  [userLabels.firstName]: [
    'Given Name',
    'Forename',
    'Legal First Name',
    'Preferred First Name',
    'Vorname',
    'Prénom',
    'Nombre',
  ],
  [userLabels.lastName]: ['Surname', 'Family Name', 'Legal Last Name', 'Nachname', 'Familienname', 'Nom', 'Apellido'],
  [userLabels.managerEmail]: [
    ...[
      'Manager',
      "Manager's Email",
      'Manager Work Email',
      'Line Manager Email',
      'Supervisor Email',
      'Reports To Email',
    ],
    ...['Boss', 'Vorgesetzter E-Mail', 'E-Mail Vorgesetzter', 'Supervisor'],
  ],
  [userLabels.teams]: ['Team', 'Department', 'Departments', 'Group', 'Groups', 'Abteilung', 'Org Unit'],
  [userLabels.deactivationDate]: [
    ...[
      'Termination Date',
      'End Date',
      'Last Day',
      'Last Day of Work',
      'Leaving Date',
      'Exit Date',
      'Contract End Date',
    ],
    ...['Austrittsdatum', 'Date de sortie'],
  ],
  [userLabels.isAdmin]: ['Admin', 'Administrator', 'Is Admin'],
  [teamLabels.name]: ['Team', 'Name'],
  [teamLabels.ownerEmail]: ['Owner', 'Team Owner', 'Team Lead Email'],
  [teamLabels.parent]: ['Parent', 'Parent Name', 'Belongs To'],
  [teamLabels.type]: ['Type', 'Kind'],
};

/** null: the header says nothing. */
export async function mapColumns(workplace: Workplace, org: Org, header: Row): Promise<ColumnMapping | null> {
  const fields = await listFields(workplace.directory.read, org.id);
  const wording = wordingOf(org, fields);
  const read = (row: Row) => readHeader(row, workplace.settings, wording);
  const found = tryHeader(read, header) ?? tryHeader(read, { ...header, cells: [...header.cells, userLabels.email] });
  if (found === null) return null;
  const own = found.columns.slice(0, countOwn(header.cells)).filter(({ label }) => label !== '');
  const standards: Record<string, string> = found.type === 'users' ? userLabels : teamLabels;
  const isFieldThere = (label: string) => fields.some((field) => labelKey(field.label) === labelKey(label));
  const isNamed = ({ index }: { index: number }) => index < header.cells.length;
  const taken = new Set(
    own.filter(isNamed).flatMap(({ meaning }) => (meaning.kind === 'standard' ? [standards[meaning.column]!] : [])),
  );
  const free = Object.values(standards).filter((label) => !taken.has(label));
  const columns = own.filter(isNamed).map(({ label, meaning }): MappedColumn => {
    const as = meaning.kind === 'standard' ? standards[meaning.column]! : null;
    if (as !== null) return { label, meaning: 'standard', as, isNew: false, proposal: null };
    const isCustom = meaning.kind === 'custom';
    const isOwn = isCustom && isFieldThere(label);
    const proposal = isOwn ? null : propose(label, free);
    return { label, meaning: isCustom ? 'custom' : 'ignored', as: null, isNew: isCustom && !isOwn, proposal };
  });
  return { columns, free };
}

function tryHeader(read: (row: Row) => Header, row: Row): Header | null {
  try {
    return read(row);
  } catch (error) {
    if (error instanceof RefusalError) return null;
    throw error;
  }
}

function propose(label: string, free: readonly string[]): string | null {
  const near = findNearMiss(label, free);
  if (near !== undefined) return near;
  if (free.includes(userLabels.email) && rankOf(label) !== undefined) return userLabels.email;
  const key = labelKey(label);
  return free.find((standard) => known[standard]?.some((name) => labelKey(name) === key) === true) ?? null;
}

/**
 * Reads columns as standard ones from now on; other aliases of the organization stay.
 * @param wanted standard labels, by the labels of the files
 * @throws OperationError `usage`
 */
export async function saveAliases(
  workplace: Workplace,
  orgId: string,
  wanted: Readonly<Record<string, string>>,
): Promise<void> {
  const standards: string[] = [...Object.values(userLabels), ...Object.values(teamLabels)];
  const wrong = Object.entries(wanted).find(([, standard]) => !standards.includes(standard));
  if (wrong !== undefined) throw new OperationError('usage', `"${wrong[1]}" is no standard column`);
  if (Object.keys(wanted).length === 0)
    throw new OperationError('usage', 'choose a standard column for at least one column');
  const unusable = Object.keys(wanted).find((label) => /[=;]/.test(label));
  if (unusable !== undefined)
    throw new OperationError('usage', `the column "${unusable}" has = or ; in its name: rename it in the file`);
  const keys = new Set(Object.keys(wanted).map(labelKey));
  await setOrganization(workplace, orgId, ({ options }) => {
    const present = Object.entries(options.aliases ?? {}).filter(([label]) => !keys.has(labelKey(label)));
    return readOrgFields({ aliases: [...present, ...Object.entries(wanted)].map((pair) => pair.join('=')).join('; ') });
  });
}
