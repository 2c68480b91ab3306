/** Ending the pauses of addresses. */
import { isIP } from 'node:net';
import { recordAudit } from '../db/control/audit.js';
import { pardon } from '../db/control/penalties.js';
import { plainAddress } from '../keys/login/addresses.js';
import { sourceOf } from '../server/ssh/source.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

/** An address, or a source as `penalties list` shows it. @throws OperationError `usage` */
export function readSource(text: string): string {
  const address = plainAddress(text.trim().replace(/\/64$/, ''));
  if (isIP(address) === 0)
    throw new OperationError('usage', `"${text}" is no address; "dropslot penalties list" shows them`);
  return sourceOf(address);
}

/** null: every source. How many paused; running servers hear of it within seconds. */
export async function forgivePenalties(workplace: Workplace, source: string | null): Promise<number> {
  const at = workplace.now();
  return workplace.control.transact(async (tx) => {
    const forgiven = await pardon(tx, source, at);
    const subject = source ?? 'all';
    await recordAudit(tx, {
      at,
      org: null,
      actor: workplace.actor,
      action: 'penalty.forgiven',
      subject,
      detail: { forgiven },
    });
    return forgiven;
  });
}
