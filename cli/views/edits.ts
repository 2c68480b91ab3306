/** A person's change of a user or team, for people and as JSON. */
import { escapeControl } from '../../operations/format.js';
import type { Edited } from '../../operations/people/edit.js';
import type { Output } from '../output.js';

/** @param remark a sentence about what follows from the change. */
export async function showEdited(
  out: Output,
  org: string,
  edited: Edited,
  remark: string | null = null,
): Promise<void> {
  const { name, run, values } = edited;
  const changes = values.map(({ field, before, after }) => ({ field, before, after }));
  if (run === null)
    return out.show(
      { org, name, run, changes },
      `${escapeControl(name)} has these values already: nothing was changed.`,
    );
  const lines = changes.map(
    ({ field, before, after }) => `  ${escapeControl(`${field}: ${before ?? '(blank)'} → ${after ?? '(blank)'}`)}`,
  );
  const undo = `To undo it: dropslot runs undo ${run}`;
  const text = [`Changed ${escapeControl(name)}:`, ...lines, ...(remark === null ? [] : [remark]), undo];
  await out.show({ org, name, run, changes }, text.join('\n'));
}
