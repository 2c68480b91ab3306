/**
 * What an applied run leaves in the directory database for its settling. Names of files are told by the control database
 * alone: here they are sealed to the organization. The reports' blobs stay open, for whoever looks what is still needed.
 */
import type { Settlement } from '../../db/control/settle.js';
import { openText, sealText } from '../../keys/master/sealedtext.js';

export interface Outcome {
  reports: readonly Pick<Settlement['reports'][number], 'blob'>[];
  /** The settlement: armored age. */
  sealed: string;
}

export async function sealSettlement(recipient: string, settlement: Settlement): Promise<Outcome> {
  const reports = settlement.reports.map(({ blob }) => ({ blob }));
  return { reports, sealed: await sealText(recipient, JSON.stringify(settlement)) };
}

/** What version 0.1.0 left is open. */
export async function openSettlement(
  outcome: Outcome | Settlement,
  identity: () => Promise<string>,
): Promise<Settlement> {
  if (!('sealed' in outcome)) return outcome;
  return JSON.parse(await openText(await identity(), outcome.sealed)) as Settlement;
}
