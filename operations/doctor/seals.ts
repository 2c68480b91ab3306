/** Opens every sealed file to its last chunk, and compares size and hash with the control database. */
import { createHash } from 'node:crypto';
import { type BlobRow, isBlobLive } from '../../db/control/blobs.js';
import { listOrgs, type Org } from '../../db/control/orgs.js';
import { KeyError } from '../../keys/error.js';
import { keyIdsOf } from '../../keys/master/orgidentity.js';
import { openBlob } from '../../storage/blobs.js';
import type { BlobPaths } from '../../storage/blobstore.js';
import { SpaceError } from '../../storage/types.js';
import { type OnAdvance, shareOf } from '../advance.js';
import { formatBytes } from '../format.js';
import { listUnsettledReports } from '../unsettled.js';
import type { Workplace } from '../workplace.js';
import { walkLiveBlobs } from './blobs.js';
import { type Finding, reporter } from './finding.js';

/** More are counted, not listed. */
const listedFindings = 100;

type Sealed = Omit<BlobRow, 'createdAt'>;

/** The amount to be read, for the progress. */
export interface Extent {
  files: number;
  sealedBytes: number;
}

/** One sealed file at a time, a few chunks of it in memory. */
export async function examineSeals(workplace: Workplace, extent: Extent, onProgress: OnAdvance): Promise<Finding[]> {
  const findings: Finding[] = [];
  const report = reporter(findings, 'blobs', workplace.paths.store?.name ?? workplace.paths.blobs);
  const identities = new Map<string, string | null>();
  for (const org of await listOrgs(workplace.control.read)) identities.set(org.id, await openIdentity(workplace, org));
  const closed = new Map<string, number>();
  let [files, bytes, damaged] = [0, 0, 0];
  for await (const blob of walkSealed(workplace)) {
    const identity = identities.get(blob.org) ?? null;
    if (identity === null) {
      closed.set(blob.org, (closed.get(blob.org) ?? 0) + 1);
      continue;
    }
    const found = await examineSeal(workplace, blob, identity);
    if (found === 'whole') files++;
    else if (found === 'lost') closed.set(blob.org, (closed.get(blob.org) ?? 0) + 1);
    else if (++damaged <= listedFindings)
      report('wrong', `${blob.id} of ${blob.org}: ${found.fault}; restore it from the backup`);
    bytes += blob.sealedSize;
    onProgress({
      phase: 'opening the sealed files',
      amount: `${files} of ${extent.files} files, ${formatBytes(bytes)} of ${formatBytes(extent.sealedBytes)}`,
      ...{ done: bytes, unit: 'bytes', share: shareOf(bytes, extent.sealedBytes), name: null },
    });
  }
  if (damaged > listedFindings) report('wrong', `and ${damaged - listedFindings} more damaged files`);
  for (const [org, count] of closed)
    report('warning', `${count} files of ${org} were not opened: this machine has no key for them`);
  report('ok', `sealed files opened to their last byte, and whole: ${files}`);
  return findings;
}

/** The fault of a sealed file, as the end of a sentence; null: the file is whole. */
export async function verifySeal(
  paths: BlobPaths,
  { id, size, sha256 }: Pick<BlobRow, 'id' | 'size' | 'sha256'>,
  identity: string,
): Promise<string | null> {
  try {
    const reader = await openBlob(paths, id, identity);
    try {
      if (reader.size !== size) return `it holds ${reader.size} bytes, and ${size} were uploaded`;
      const hash = createHash('sha256');
      for await (const plain of reader.stream()) hash.update(plain);
      return hash.digest('hex') === sha256 ? null : 'it holds something else than was uploaded';
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (error instanceof SpaceError) return error.message.replace(`blob ${id} `, 'it ');
    throw error;
  }
}

async function* walkSealed(workplace: Workplace): AsyncGenerator<Sealed> {
  yield* await listUnsettledReports(workplace);
  yield* walkLiveBlobs(workplace);
}

/** Checks a fault twice before it is reported: a running server may remove a file, or give it a new header, meanwhile. */
async function examineSeal(
  workplace: Workplace,
  blob: Sealed,
  identity: string,
): Promise<'whole' | 'lost' | { fault: string }> {
  const first = await verifySeal(workplace.paths, blob, identity);
  if (first === null || !(await isNeeded(workplace, blob.id))) return 'whole';
  const org = await workplace.org(blob.org);
  const again = await openIdentity(workplace, org);
  const fault = again === null ? first : await verifySeal(workplace.paths, blob, again);
  if (fault === null) return 'whole';
  // A file that was sealed to a destroyed identity is not damaged, but lost for ever.
  return blob.sealedTo != null && !keyIdsOf(org).includes(blob.sealedTo) ? 'lost' : { fault };
}

async function isNeeded(workplace: Workplace, id: string): Promise<boolean> {
  if ((await listUnsettledReports(workplace)).some((report) => report.id === id)) return true;
  return isBlobLive(workplace.control.read, id);
}

/** null: it was destroyed, or this machine has no master key; the checks of keys report both. */
async function openIdentity(workplace: Workplace, org: Org): Promise<string | null> {
  try {
    return await workplace.identity(org);
  } catch (error) {
    if (error instanceof KeyError) return null;
    throw error;
  }
}
