/** Rows of many organizations, read some hundred at once and grouped: a query for each of 2,000 took most of a command's time. */
import { type LoginKey, listLoginKeys } from '../db/control/keys.js';
import type { Workplace } from './workplace.js';

/** Each is a value of a statement or two: more would take more memory, and save no more time. */
const orgsAtOnce = 500;

/** The items in groups that one statement takes. */
export function inGroups<Item>(items: readonly Item[]): Item[][] {
  const count = Math.ceil(items.length / orgsAtOnce);
  return Array.from({ length: count }, (_, index) => items.slice(index * orgsAtOnce, (index + 1) * orgsAtOnce));
}

/** The rows of one organization, in their order; those of none have the name ''. */
export function groupByOrg<Row extends { org: string | null }>(rows: readonly Row[]): (org: string) => Row[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.org ?? '');
    if (group === undefined) groups.set(row.org ?? '', [row]);
    else group.push(row);
  }
  return (org) => groups.get(org) ?? [];
}

/** As listLoginKeys, of any number of organizations. */
export async function listKeysByOrg(
  { control }: Pick<Workplace, 'control'>,
  orgs: readonly string[],
): Promise<(org: string) => LoginKey[]> {
  const keys: LoginKey[] = [];
  for (const group of inGroups(orgs)) keys.push(...(await listLoginKeys(control.read, group)));
  return groupByOrg(keys);
}
