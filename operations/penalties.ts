/** The penalties of addresses: list them, and end them. */
import { isIP } from 'node:net';
import { recordAudit } from '../db/control/audit.js';
import { listPenalties, type Penalty, pardon } from '../db/control/penalties.js';
import { plainAddress } from '../keys/login/addresses.js';
import { sourceOf } from '../server/ssh/source.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { Penalty } from '../db/control/penalties.js';

/** A longer list helps no operator. */
const mostListed = 10_000;

/** Penalties that have not ended, on every node, the longest first; at most 10,000. */
export function listActivePenalties({ control, now }: Workplace): Promise<Penalty[]> {
  return listPenalties(control.read, now(), mostListed);
}

/** An address, or a source as `penalties list` shows it. @throws OperationError `usage` */
export function readSource(text: string): string {
  const address = plainAddress(text.trim().replace(/\/64$/, ''));
  if (isIP(address) === 0)
    throw new OperationError('usage', `"${text}" is not an address; "dropslot penalties list" shows the addresses`);
  return sourceOf(address);
}

/**
 * Ends the penalty of a source; null: of every source. Running servers apply it within seconds.
 * @returns how many penalties ended
 */
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
