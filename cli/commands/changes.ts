/** `dropslot runs show ID --changes`: whom a run changed, or would change. */
import type { Run } from '../../db/control/runs.js';
import { type RunChanges, withRunChanges } from '../../operations/changes.js';
import { OperationError } from '../../operations/error.js';
import type { Workplace } from '../../operations/workplace.js';
import type { Output } from '../output.js';
import { changeList } from '../views/changes.js';

/** As many a terminal is shown unless it asks for more. */
const shownChanges = 200;

/** @param limit as it was typed. @throws OperationError `usage` */
export function readLimit(limit: string | undefined): number | undefined {
  if (limit === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(limit))
    throw new OperationError('usage', `--limit takes a number above 0, not "${limit}"`);
  return Number(limit);
}

/** @param limit as many at most; undefined: 200 for a person, all for a program. */
export function showChanges(workplace: Workplace, id: string, limit: number | undefined, out: Output): Promise<void> {
  const onPlanning = ({ id: run }: Run) => out.note(`Planning the files of run ${run} anew; nothing is applied.`);
  return withRunChanges(workplace, id, (changes) => printChanges(changes, limit, out), onPlanning);
}

async function printChanges(changes: RunChanges, limit: number | undefined, out: Output): Promise<void> {
  const { run, isApplied, isAsCounted, total, list } = changes;
  const most = Math.min(total, limit ?? (out.json ? total : shownChanges));
  if (out.json) {
    // A run may change millions of values: they are never all in memory.
    const head = {
      run: run.id,
      org: run.org,
      state: run.state,
      isApplied,
      isAsCounted,
      total,
      leftOut: total - most,
    };
    await out.write(`${JSON.stringify(head).slice(0, -1)},"changes":`);
    await out.list(list(most), changeList);
    await out.write('}\n');
    return;
  }
  await out.show(null, describeHead(changes));
  await out.list(list(most), changeList);
  if (total > most) await out.show(null, `… and ${total - most} more: --limit ${total} or --json shows all.`);
}

function describeHead({ run, isApplied, isAsCounted, total }: RunChanges): string {
  const changes = `${total} ${total === 1 ? 'change' : 'changes'}`;
  if (isApplied) return `Run ${run.id} of ${run.org} made ${changes}:\n`;
  const head = `Run ${run.id} of ${run.org} is ${run.state === 'held' ? 'held' : 'approved'}. It would make ${changes}:\n`;
  if (isAsCounted) return head;
  return `This is NOT what was counted when the run was held: the directory or a setting changed since then.
An approval counts it anew, and holds it again if it is still too much.\n\n${head}`;
}
