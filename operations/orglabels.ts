/** Column names that an organization chooses itself: its identifier column and its aliases for standard columns. */
import { exportOnly, teamLabels, userLabels } from '../importer/read/labels.js';
import { collapse, isName, labelKey } from '../importer/read/normalize.js';

const standardLabels: readonly string[] = [...Object.values(userLabels), ...Object.values(teamLabels), exportOnly];

/** A column name that has no standard meaning (rule U15). null: it has one, or is no name. */
export function readIdentifier(text: string): string | null {
  const label = collapse(text);
  return isOwnLabel(label) ? label : null;
}

/** `Work Email=User Email; Boss=Manager Email` (rule F7). null: a pair is wrong, or a name occurs twice. */
export function readAliases(text: string): Record<string, string> | null {
  const pairs = text.split(';').map((pair) => pair.split('=').map(collapse));
  const aliases = pairs.map(([label = '', meant = '', ...more]): [string, string | undefined] => [
    label,
    more.length > 0 || !isOwnLabel(label) ? undefined : standardLabels.find((one) => labelKey(one) === labelKey(meant)),
  ]);
  const isTwice = new Set(aliases.map(([label]) => labelKey(label))).size < aliases.length;
  if (isTwice || aliases.some(([, standard]) => standard === undefined)) return null;
  return Object.fromEntries(aliases) as Record<string, string>;
}

/** As `readAliases` reads them. */
export function writeAliases(aliases: Record<string, string>): string {
  return Object.entries(aliases)
    .map((pair) => pair.join('='))
    .join('; ');
}

function isOwnLabel(label: string): boolean {
  const taken = standardLabels.map(labelKey);
  return label !== '' && isName(label) && !taken.includes(labelKey(label));
}
