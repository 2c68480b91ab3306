/** The penalties of addresses: list them, and end them. */
import { isIP } from 'node:net';
import { recordAudit } from '../db/control/audit.js';
import { listPenalties, type Penalty, pardon } from '../db/control/penalties.js';
import { plainAddress } from '../keys/login/addresses.js';
import { networkOf, sourceOf } from '../server/ssh/source.js';
import { OperationError } from './error.js';
import type { Workplace } from './workplace.js';

export type { Penalty } from '../db/control/penalties.js';
export { sourceOf };

/** A longer list helps no operator. */
const mostListed = 10_000;

/** Penalties that have not ended, on every node, the longest first; at most 10,000. */
export function listActivePenalties({ control, now }: Workplace): Promise<Penalty[]> {
  return listPenalties(control.read, now(), mostListed);
}

/** An address, or a subject of a penalty as `penalties list` shows it; without its user name. @throws OperationError `usage` */
export function readSource(text: string): string {
  const [word = ''] = text.trim().split(' ');
  const address = plainAddress(word.replace(/\/(64|48)$/, ''));
  if (isIP(address) === 0 || (isIP(address) === 4 && word.includes('/')))
    throw new OperationError('usage', `"${text}" is not an address; "dropslot penalties list" shows the addresses`);
  const source = sourceOf(address);
  return word.endsWith('/48') ? (networkOf(source) ?? source) : source;
}

/**
 * Ends the penalties of a source, of user names at it and of its IPv6 /48; null: of every source. Running servers apply it within seconds.
 * @returns how many penalties ended
 */
export async function forgivePenalties(workplace: Workplace, source: string | null): Promise<number> {
  const at = workplace.now();
  return workplace.control.transact(async (tx) => {
    const network = source === null ? null : networkOf(source);
    let forgiven = await pardon(tx, source, at);
    if (network !== null) forgiven += await pardon(tx, network, at);
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
