/** `dropslot runs show ID --changes`: the changes that a run made, or would make. */
import { type RunChanges, withRunChanges } from '../../operations/changes.js';
import { OperationError } from '../../operations/error.js';
import { withSchema } from '../../operations/format.js';
import type { Run } from '../../operations/runsummary.js';
import type { Workplace } from '../../operations/workplace.js';
import type { Output } from '../output.js';
import { changeList } from '../views/changes.js';

/** A terminal shows as many, unless `--limit` asks for more. */
const shownChanges = 200;

/** @param limit as it was typed. @throws OperationError `usage` */
export function readLimit(limit: string | undefined): number | undefined {
  if (limit === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(limit))
    throw new OperationError('usage', `--limit must be a number from 1, not "${limit}"`);
  return Number(limit);
}

/** @param limit at most as many; undefined: 200 for a person, all for a program. */
export function showChanges(workplace: Workplace, id: string, limit: number | undefined, out: Output): Promise<void> {
  const onPlanning = ({ id: run }: Run) => out.note(`Planning the files of run ${run} again; nothing is applied.`);
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
    await out.write(`${JSON.stringify(withSchema(head)).slice(0, -1)},"changes":`);
    await out.list(list(most), changeList, true);
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
  return `These are NOT the changes that were counted when the run was held: the directory or a setting changed since then.
An approval counts them again, and holds the run again if they are still too many.\n\n${head}`;
}
