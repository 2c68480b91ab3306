/**
 * The settlement of an applied run as the directory database keeps it until the control database has it. It holds names of
 * files, so it is sealed to the organization; the ids of the reports' blobs are open, for the sweep of orphaned blobs.
 */
import type { Settlement } from '../../db/control/settle.js';
import { openText, sealText } from '../../keys/master/sealedtext.js';

export interface SealedSettlement {
  reports: readonly Pick<Settlement['reports'][number], 'blob'>[];
  /** The settlement as JSON: armored age. */
  sealed: string;
}

export async function sealSettlement(recipient: string, settlement: Settlement): Promise<SealedSettlement> {
  const reports = settlement.reports.map(({ blob }) => ({ blob }));
  return { reports, sealed: await sealText(recipient, JSON.stringify(settlement)) };
}

/** Version 0.1.0 kept it unsealed. */
export async function openSettlement(
  kept: SealedSettlement | Settlement,
  identity: () => Promise<string>,
): Promise<Settlement> {
  if (!('sealed' in kept)) return kept;
  return JSON.parse(await openText(await identity(), kept.sealed)) as Settlement;
}
