/** The values of the settings that say which fields files may change, and how (rules U3a, U4a). */
import { exportOnly, teamLabels, userLabels } from '../../importer/read/labels.js';
import { collapse, isName, labelKey } from '../../importer/read/normalize.js';

type FieldOwner = 'people' | 'once';

const { email, managerName, ...userFields } = userLabels;
const { name, ...teamFields } = teamLabels;
const standardFields: readonly string[] = [...Object.values(userFields), ...Object.values(teamFields)];
/** They find a user or team, or are no values of one. */
const withoutOwner: readonly string[] = [email, managerName, name, exportOnly];

/** `Manager Email=people; User Name=once`; `file` is the default, and is left out. null: a pair is wrong, or a name occurs twice. */
export function readFieldOwners(text: string): Record<string, FieldOwner> | null {
  const pairs = text.split(';').map((pair) => pair.split('=').map(collapse));
  const owners: [string, FieldOwner][] = [];
  const labels = new Set<string>();
  for (const [label = '', owner = '', ...more] of pairs) {
    const key = labelKey(label);
    const isField = label !== '' && isName(label) && !withoutOwner.some((one) => labelKey(one) === key);
    if (!isField || more.length > 0 || labels.has(key) || !/^(file|people|once)$/i.test(owner)) return null;
    labels.add(key);
    if (!/^file$/i.test(owner))
      owners.push([standardFields.find((one) => labelKey(one) === key) ?? label, owner.toLowerCase() as FieldOwner]);
  }
  return Object.fromEntries(owners);
}

/** As `readFieldOwners` reads them. */
export function writeFieldOwners(owners: Record<string, FieldOwner>): string {
  return Object.entries(owners)
    .map((pair) => pair.join('='))
    .join('; ');
}

const longestToken = 40;

/** A text that no value has by chance. null: it is blank or too long, is an address, or a spreadsheet would run it. */
export function readClearToken(text: string): string | null {
  const isUsable = text !== '' && text.length <= longestToken && !/[\p{C}"@,;|\t]/u.test(text) && !/^[=+'-]/.test(text);
  return isUsable ? text : null;
}

const mostFiles = 99;

/** `keep` or `deactivate-after:N`. null: it is neither. */
export function readOmission(text: string): string | null {
  const [, files] = /^deactivate-after:(\d{1,2})$/i.exec(text) ?? [];
  if (files === undefined) return /^keep$/i.test(text) ? 'keep' : null;
  const count = Number(files);
  return count >= 1 && count <= mostFiles ? `deactivate-after:${count}` : null;
}
