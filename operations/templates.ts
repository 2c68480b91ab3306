/** The template files of an organization: `users.csv` and `teams.csv` with its labels, and an example. */
import { listFields } from '../db/directory/fields.js';
import { renderTemplates, type Template } from '../importer/report/templates.js';
import type { Workplace } from './workplace.js';

/** As its clients find them in /templates. @throws OperationError `not_found` */
export async function makeTemplates(workplace: Workplace, orgId: string): Promise<Template[]> {
  const org = await workplace.org(orgId);
  return renderTemplates(org, await listFields(workplace.directory.read, org.id));
}
