/** The bytes that the reports of one run may have: the rest of the organization's storage, and always a little. */
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { measureUsage } from '../../db/control/usage.js';
import { limitsOf } from '../../storage/storagelimits.js';

/** Enough for the summary and the first findings: an organization without storage must read why its file was refused. */
const leastBytes = 64 * 1024;

export interface ReportRoom {
  leftBytes: number;
}

/** @param files that get reports. */
export async function measureRoom(
  { control, settings }: { control: Db; settings: Settings },
  org: Org,
  files: number,
): Promise<ReportRoom> {
  const { bytes } = await measureUsage(control.read, org.id);
  return { leftBytes: Math.max(leastBytes * files, limitsOf(org, settings).maxStoredBytes - bytes) };
}
