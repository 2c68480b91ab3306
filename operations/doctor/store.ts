/** Checks the object store of the sealed files: writes, reads and removes a small object, and looks for left uploads; or whose the folder is. */
import { findBlob } from '../../db/control/blobs.js';
import { listPartialIds } from '../../db/control/partials.js';
import { KeyError } from '../../keys/error.js';
import { StoreError } from '../../storage/blobstore.js';
import { findFolderFault } from '../../storage/folderclaim.js';
import { claimStore } from '../../storage/storeclaim.js';
import type { Workplace } from '../workplace.js';
import { type Finding, reporter } from './finding.js';

/** No upload takes longer. */
const oldMs = 2 * 24 * 60 * 60 * 1000;

/** `isUsable` false: the sealed files can't be examined. */
export async function examineStore(workplace: Workplace): Promise<{ findings: Finding[]; isUsable: boolean }> {
  const { paths, settings, control, now } = workplace;
  const findings: Finding[] = [];
  if (paths.store === undefined) {
    const fault = await findFolderFault(paths, control).catch((error) => {
      if (!(error instanceof KeyError)) throw error;
      return error.message;
    });
    if (fault !== null) reporter(findings, 'blobs', paths.blobs)('wrong', fault);
    return { findings, isUsable: fault === null };
  }
  const report = reporter(findings, 'store', paths.store.name);
  if (/^http:/.test(settings.blobEndpoint ?? '') && !isOnThisMachine(settings.blobEndpoint!))
    report(
      'warning',
      'requests to it are not encrypted (blobEndpoint begins with http://): sealed files stay closed to a listener, but use https:// so that no answer can be forged',
    );
  try {
    await paths.store.probe();
    report('ok', 'an object was written, read and removed');
    await claimStore(paths.store, control);
    const known = new Set(await listPartialIds(control.read));
    let [left, kept] = [0, 0];
    for await (const unfinished of paths.store.listUnfinished()) {
      const { id, begunAtMs } = unfinished;
      if (now() - begunAtMs <= oldMs || known.has(id)) continue;
      if ((await findBlob(control.read, id)) !== null && (await paths.store.hasParts(unfinished))) kept++;
      else left++;
    }
    if (left > 0)
      report(
        'warning',
        `${left} uploads in parts were never ended: the daily clean-up of "dropslot serve" aborts them`,
      );
    if (kept > 0)
      report(
        'ok',
        `${kept} uploads in parts were never ended, and their files are complete. The clean-up does not abort them, since that could damage the files in some stores. A life-cycle rule of the bucket that aborts unfinished uploads after two days removes them`,
      );
    return { findings, isUsable: true };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    report('wrong', `it can't be used: ${error.message}`);
    return { findings, isUsable: false };
  }
}

function isOnThisMachine(endpoint: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(endpoint).hostname);
}
