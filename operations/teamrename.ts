/** Renames a team, and keeps its old names as aliases that files may still use. */
import { recordAudit } from '../db/control/audit.js';
import { deleteTeamAlias, listTeamAliases, renameTeam, type TeamAlias } from '../db/directory/teamaliases.js';
import { collapse, isName, longestName, nameKey } from '../importer/read/normalize.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { TeamAlias } from '../db/directory/teamaliases.js';

/** @throws OperationError `not_found`, `usage` for a name that no team can have, `refused` when another team has it, or had it. */
export async function renameTeamOf(workplace: Workplace, orgId: string, from: string, to: string): Promise<void> {
  const org = await workplace.org(orgId);
  const name = collapse(to).normalize('NFC');
  if (name === '' || !isName(name))
    throw new OperationError('usage', `a team's name has 1 to ${longestName} characters`);
  const rename = { org: org.id, fromKey: nameKey(from), name, key: nameKey(name), at: workplace.now() };
  const outcome = await workplace.directory.transact((tx) => renameTeam(tx, rename));
  if (outcome === 'unknown') throw new OperationError('not_found', `no team "${from}" in ${org.id}`);
  if (outcome === 'taken') throw new OperationError('refused', `another team of ${org.id} is called "${name}"`);
  if (outcome === 'former') {
    const aliases = await listTeamAliases(workplace.directory.read, org.id);
    const now = aliases.find(({ key }) => key === rename.key)?.teamName ?? 'another team';
    throw new OperationError(
      'refused',
      `"${name}" is an old name of "${now}", and files may still use it; to end that: dropslot teams unalias ${org.id} "${name}"`,
    );
  }
  await audit(workplace, org.id, 'team.renamed', name, { from: collapse(from) });
}

export async function listAliasesOf(workplace: Workplace, orgId: string): Promise<TeamAlias[]> {
  return listTeamAliases(workplace.directory.read, (await workplace.org(orgId)).id);
}

/** @throws OperationError `not_found` */
export async function forgetAlias(workplace: Workplace, orgId: string, name: string): Promise<void> {
  const org = await workplace.org(orgId);
  if (!(await deleteTeamAlias(workplace.directory.write, org.id, nameKey(name))))
    throw new OperationError('not_found', `"${name}" is no alias in ${org.id}`);
  await audit(workplace, org.id, 'team.unaliased', collapse(name), {});
}

function audit(
  { control, actor, now }: Workplace,
  org: string,
  action: string,
  subject: string,
  detail: Record<string, unknown>,
): Promise<void> {
  return recordAudit(control.write, { at: now(), org, actor, action, subject, detail });
}
