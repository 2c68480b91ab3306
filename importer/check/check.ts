/** Plans one file that is not in the queue, for `dropslot check`; applies nothing. */
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { RefusalError } from '../codes.js';
import { contactOf, nameContact } from '../contact.js';
import { askBeforeImport } from '../hooks/call.js';
import type { HookFile } from '../hooks/hooks.js';
import { findHooks, type HookSource } from '../hooks/load.js';
import { withMapper } from '../hooks/mapper.js';
import { readAs } from '../read/encoding.js';
import { ReadMeter } from '../read/meter.js';
import type { Source } from '../read/source.js';
import { unwrap } from '../read/unwrap.js';
import { describeChanges } from '../report/changesfile.js';
import { listIssues } from '../report/findings.js';
import { summarizeFile } from '../report/summary.js';
import { pgpContext } from '../run/order.js';
import type { Issue, Progress, Refusal, RunSummary } from '../types.js';
import { planTrial, summarizeTrial, type TrialDeps } from './trialplan.js';

export interface CheckDeps extends TrialDeps {
  control: Db;
  /** Absent: those of the setting importHooks. */
  hooks?: HookSource;
  /** The organization's age identities, one a line: for a PGP file. @throws KeyError */
  identity: (org: Org) => Promise<string>;
}

export interface CheckListeners {
  /** Gets the refusals, faults and warnings in the order of the lines. */
  onIssues(issues: Issue[]): void | Promise<void>;
  onProgress?(progress: Progress): void;
  /** Gets the list of changes as a CSV. @returns the name of the file that has it now */
  onChanges?(text: string): Promise<string>;
}

/** The summary of a run that would import the file now. */
export async function checkFile(
  deps: CheckDeps,
  org: Org,
  file: Source,
  { onIssues, onProgress = () => {}, onChanges }: CheckListeners,
): Promise<RunSummary> {
  const hooks = await findHooks(deps);
  const { name, bytes, sha256 } = file;
  const asked: HookFile = { org: org.id, path: name, name, bytes, sha256, purpose: 'check' };
  const refusal = await askBeforeImport(hooks, deps.settings, asked);
  const meter = new ReadMeter();
  const read = await readAs(
    unwrap(
      meter.watch(file),
      deps.settings,
      pgpContext(deps, org, () => deps.identity(org)),
    ),
    org.options.encoding,
  );
  const source = refusal === null ? withMapper(read, hooks) : { ...read, open: () => refuseAll(refusal) };
  const tell = (progress: Progress) => onProgress(meter.measure(progress));
  return planTrial(deps, org, [source], tell, async (plan) => {
    const contact = contactOf(org, deps.settings);
    for await (const page of listIssues(plan.stage, 0))
      await onIssues(page.map((issue) => ({ ...issue, message: nameContact(issue.message, contact) })) as Issue[]);
    const outcome = await summarizeFile(plan.stage, 0, source, plan.planned[0]!, { path: null, contact });
    if (onChanges !== undefined) {
      const room = { leftBytes: Number.POSITIVE_INFINITY };
      const of = { org: org.id, files: [source.name], file: 0 };
      outcome.changes = await onChanges(await describeChanges({ stage: plan.stage, room }, of));
    }
    return summarizeTrial('check', org, plan, [outcome], contact);
  });
}

// biome-ignore lint/correctness/useYield: it refuses before the first byte.
async function* refuseAll(refusal: Refusal): AsyncGenerator<Buffer> {
  throw new RefusalError(refusal);
}
