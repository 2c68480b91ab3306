/** Plans one file that is not in the queue, for `dropslot check`; applies nothing. */
import type { Org } from '../../db/control/orgs.js';
import { contactOf, nameContact } from '../contact.js';
import { readAs } from '../read/encoding.js';
import type { Source } from '../read/source.js';
import { listIssues } from '../report/findings.js';
import { summarizeFile } from '../report/summary.js';
import type { Issue, Progress, RunSummary } from '../types.js';
import { planTrial, summarizeTrial, type TrialDeps } from './trialplan.js';

/**
 * The summary of a run that would import the file now.
 * @param onIssues gets the refusals, faults and warnings in the order of the lines.
 */
export async function checkFile(
  deps: TrialDeps,
  org: Org,
  file: Source,
  onIssues: (issues: Issue[]) => void | Promise<void>,
  reportProgress: (progress: Progress) => void,
): Promise<RunSummary> {
  const source = await readAs(file, org.options.encoding);
  return planTrial(deps, org, [source], reportProgress, async (plan) => {
    const contact = contactOf(org, deps.settings);
    for await (const page of listIssues(plan.stage, 0))
      await onIssues(page.map((issue) => ({ ...issue, message: nameContact(issue.message, contact) })) as Issue[]);
    const outcome = await summarizeFile(plan.stage, 0, source, plan.planned[0]!, { path: null, contact });
    return summarizeTrial('check', org, plan, [outcome], contact);
  });
}
