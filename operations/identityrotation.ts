/**
 * Gives an organization a new identity, and every file of it a new header; payloads stay as they are. Until each file is
 * rewrapped and proven, the old identity is kept beside the new one. If it is killed at any line, the next rotation continues.
 */
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Queryable } from '../db/connection.js';
import { recordAudit } from '../db/control/audit.js';
import { readBlobPlace } from '../db/control/blobplace.js';
import { isBlobLive } from '../db/control/blobs.js';
import {
  countSealedTo,
  listSealedTo,
  listUnendedRuns,
  type Rewrapped,
  recordRewrapped,
} from '../db/control/identityrotation.js';
import { type Org, updateOrg } from '../db/control/orgs.js';
import { listAllPartials } from '../db/control/partials.js';
import { changePgpKey, listPgpKeysToReseal } from '../db/control/pgpkeys.js';
import { findApplied } from '../importer/run/apply.js';
import { createOrgIdentity, keyIdOf } from '../keys/master/orgidentity.js';
import { openText, sealText } from '../keys/master/sealedtext.js';
import { removeBlob } from '../storage/blobs.js';
import { SealError } from '../storage/chunk.js';
import { unseenMs } from '../storage/destination.js';
import { systemDisk } from '../storage/disk.js';
import { partialPath } from '../storage/partials.js';
import { isFileOpenedBy, type RewrapStep, rewrapBlob, sweepRewraps } from '../storage/rewrap.js';
import { recoverUnsynced, settleUnsynced, unsyncedPlaceOf } from '../storage/unsynced.js';
import { OperationError } from './error.js';
import { atSharedKeys, type RequireKeys } from './keylock.js';
import { lockOrganization, type Workplace } from './workplace.js';

/** The steps that a crash can follow: the new identity seals, a batch of files is rewrapped and recorded, all is proven. */
export type RotationStep = 'begun' | RewrapStep | 'recorded' | 'proven';

export interface RotationOptions {
  /** The longest wait, at the end, for uploads and imports in progress. */
  waitMs: number;
  onProgress?: (text: string) => void;
  onStep?: (step: RotationStep) => void | Promise<void>;
  /** Files of one transaction. */
  batchFiles?: number;
}

export interface Rotation {
  org: string;
  /** `age1…` of the new identity. */
  recipient: string;
  /** Files that got a new header now. */
  rewrapped: number;
  /** Whether only the new identity is left. */
  isFinished: boolean;
  /** Why not: uploads and runs in progress, and files that can't be given a new header. */
  left: { uploads: number; runs: number; missing: string[]; damaged: string[] };
}

const lookEveryMs = 250;
const defaultBatchFiles = 100;
/** A session without a request is closed after idleMinutes; a partial without a write for longer belongs to no session. */
const graceMs = 5 * 60_000;

/** @throws OperationError, KeyError; SpaceError `failed` when the disk fails */
export async function rotateIdentity(workplace: Workplace, orgId: string, options: RotationOptions): Promise<Rotation> {
  return atSharedKeys(workplace, async (requireKeys) => {
    if (workplace.paths.store === undefined) await sweepRewraps(workplace.paths);
    const org = await beginRotation(workplace, orgId);
    await options.onStep?.('begun');
    const rotation: Rotation = {
      org: orgId,
      recipient: org.recipient,
      rewrapped: 0,
      isFinished: org.oldIdentities.length === 0,
      left: { uploads: 0, runs: 0, missing: [], damaged: [] },
    };
    await resealPgpKeys(workplace, org);
    // Only then each upload that began before has a file: small ones are in memory at first.
    if (!rotation.isFinished) await sleep(Math.min(options.waitMs, 4 * unseenMs));
    for (const deadline = performance.now() + options.waitMs; !rotation.isFinished; await sleep(lookEveryMs)) {
      await rewrapFiles(workplace, org, rotation, { ...options, requireKeys });
      const { missing, damaged } = rotation.left;
      if (missing.length + damaged.length > 0) break;
      await requireKeys();
      await finishRotation(workplace, org, rotation, options);
      if (performance.now() >= deadline) break;
    }
    return rotation;
  });
}

/** The organization with its new identity; one that an earlier attempt gave it is kept. */
async function beginRotation(workplace: Workplace, orgId: string): Promise<Org> {
  const before = await workplace.org(orgId);
  const master = await workplace.master();
  // A rotation begins only if it can be finished: the present identity must open.
  if (before.sealedIdentity !== null) await workplace.identity(before);
  const made = await createOrgIdentity(master.recipient, workplace.settings.recipientType);
  const at = workplace.now();
  await workplace.control.transact(async (tx) => {
    const org = await lockOrganization(tx, orgId);
    // A copy of a file would keep its old header.
    const { movingTo } = await readBlobPlace(tx);
    if (movingTo !== null)
      throw new OperationError(
        'refused',
        `the sealed files are being moved to ${movingTo}: finish that move, or give it up with --undo, before a rotation`,
      );
    if (org.oldIdentities.length > 0) return;
    const { recipient, sealedIdentity } = org;
    const oldIdentities = sealedIdentity === null ? [] : [{ recipient, sealedIdentity, retiredAt: at }];
    await updateOrg(tx, orgId, { ...made, oldIdentities });
    await audit(
      tx,
      workplace,
      org,
      sealedIdentity === null ? 'identity.made' : 'identity.rotation_begun',
      made.recipient,
    );
  });
  return workplace.org(orgId);
}

/** PGP keys are sealed to the identity too. */
async function resealPgpKeys(workplace: Workplace, org: Org): Promise<void> {
  const sealedTo = keyIdOf(org.recipient);
  for (const { fingerprint } of await listPgpKeysToReseal(workplace.control.read, org.id, sealedTo)) {
    const identities = await workplace.identity(org);
    await workplace.control.transact(async (tx) => {
      await lockOrganization(tx, org.id);
      const keys = await listPgpKeysToReseal(tx, org.id, sealedTo);
      for (const { id, sealedPrivateKey } of keys.filter((key) => key.fingerprint === fingerprint)) {
        const sealed = await sealText(org.recipient, await openText(identities, sealedPrivateKey ?? ''));
        await changePgpKey(tx, id, { sealedPrivateKey: sealed, sealedTo });
      }
    });
  }
}

async function rewrapFiles(
  workplace: Workplace,
  org: Org,
  rotation: Rotation,
  options: RotationOptions & { requireKeys: RequireKeys },
): Promise<void> {
  const { control, paths } = workplace;
  const identities = await workplace.identity(org);
  const keys = { identities, identity: identities.split('\n')[0]!, recipient: org.recipient };
  const limit = options.batchFiles ?? defaultBatchFiles;
  const left = { ...rotation.left, missing: [] as string[], damaged: [] as string[] };
  rotation.left = left;
  for (let after: string | null = null; ; ) {
    const page = await listSealedTo(control.read, org.id, oldKeyIds(org), after, limit);
    if (page.length === 0) return;
    await options.requireKeys();
    const batch: Rewrapped[] = [];
    await settleUnsynced(
      unsyncedPlaceOf(control, paths),
      page.map(({ id }) => id),
    );
    for (const { id } of page) {
      const result = await rewrapBlob(paths, id, keys, options.onStep === undefined ? {} : { onStep: options.onStep });
      if (result.kind === 'sealed') {
        batch.push({ id, sealedTo: keyIdOf(org.recipient), sealedSize: result.sealedSize });
        if (result.isNew) rotation.rewrapped++;
      } else if (await isBlobLive(control.read, id)) left[result.kind].push(id);
    }
    await control.transact((tx) => recordRewrapped(tx, batch));
    // A file that was removed while it was rewrapped has come back with its new header.
    for (const { id } of batch) if (!(await isBlobLive(control.read, id))) await removeBlob(paths, id);
    await options.onStep?.('recorded');
    options.onProgress?.(`rewrapped ${rotation.rewrapped} files`);
    after = page.at(-1)!.id;
  }
}

/** Drops the old identity, when nothing is or will be sealed to it. */
async function finishRotation(
  workplace: Workplace,
  org: Org,
  rotation: Rotation,
  options: RotationOptions,
): Promise<void> {
  const { left } = rotation;
  left.uploads = await countOldUploads(workplace, org);
  left.runs = await countBusyRuns(workplace, org.id);
  if (left.uploads + left.runs > 0) return;
  // Rows of small files that are not synced yet have the old header: after a power cut they would give back files that nothing opens.
  await recoverUnsynced(unsyncedPlaceOf(workplace.control, workplace.paths), true);
  await options.onStep?.('proven');
  rotation.isFinished = await workplace.control.transact(async (tx) => {
    const now = await lockOrganization(tx, org.id);
    // Files that were closed since the last pass are rewrapped first, and a run that reads the old files ends first.
    if ((await countSealedTo(tx, org.id, oldKeyIds(org))) > 0) return false;
    if ((await listUnendedRuns(tx, org.id)).some(({ state }) => state === 'running')) return false;
    if ((await listPgpKeysToReseal(tx, org.id, keyIdOf(org.recipient))).length > 0) return false;
    await updateOrg(tx, org.id, { oldIdentities: [] });
    await audit(tx, workplace, now, 'identity.rotated', org.recipient);
    return true;
  });
}

/** Uploads in progress that are sealed to an old identity; interrupted ones are kept under the node's key. */
async function countOldUploads(workplace: Workplace, org: Org): Promise<number> {
  const { control, paths, settings } = workplace;
  const [, ...old] = (await workplace.identity(org)).split('\n');
  const oldest = workplace.now() - settings.idleMinutes * 60_000 - graceMs;
  const rows = await listAllPartials(control.read, { org: org.id });
  const kept = new Set(rows.filter(({ state }) => state === 'kept').map(({ id }) => id));
  // An upload that another server has in progress can't be published under the old identity: its client sends it again.
  let count = 0;
  for (const id of await systemDisk.list(paths.partials)) {
    if (kept.has(id)) continue;
    const path = partialPath(paths, id);
    try {
      if ((await stat(path)).mtimeMs >= oldest && (await isFileOpenedBy(path, old.join('\n')))) count++;
    } catch (error) {
      // Closed meanwhile, or so new that its header is not written yet: then it is sealed to the new identity.
      if (!(error instanceof SealError) && (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return count;
}

/** Runs that are worked on, and those whose sealed reports no row refers to yet. */
export async function countBusyRuns(
  { control, directory }: Pick<Workplace, 'control' | 'directory'>,
  org: string,
): Promise<number> {
  let count = 0;
  for (const { id, state } of await listUnendedRuns(control.read, org))
    if (state === 'running' || (await findApplied(directory.read, id)) !== null) count++;
  return count;
}

function oldKeyIds({ oldIdentities }: Org): string[] {
  return oldIdentities.map(({ recipient }) => keyIdOf(recipient));
}

function audit(tx: Queryable, workplace: Workplace, org: Org, action: string, recipient: string): Promise<void> {
  const { actor } = workplace;
  const detail = { from: [keyIdOf(org.recipient), ...oldKeyIds(org)].filter((id) => id !== keyIdOf(recipient)) };
  return recordAudit(tx, { at: workplace.now(), org: org.id, actor, action, subject: keyIdOf(recipient), detail });
}
