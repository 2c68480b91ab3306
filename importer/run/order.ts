/**
 * The order of a run's files: teams before users, and within a type the oldest upload first (rule F10). The type in the header of a
 * file is read once, and kept.
 */
import { createHash } from 'node:crypto';
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { type Cause, findQuarantined } from '../../db/control/quarantine.js';
import { findUnrecorded } from '../../db/control/uploadrecords.js';
import { findUpload, type HeaderType, isWaiting, recordHeaderTypes, type UploadRow } from '../../db/control/uploads.js';
import { readPgpKeys } from '../../keys/pgp/keyset.js';
import { openBlobOf } from '../../storage/blobs.js';
import { placesOf, type StorePaths } from '../../storage/blobstore.js';
import { splitPath } from '../../storage/path.js';
import { SpaceError } from '../../storage/types.js';
import { RefusalError, refuse } from '../codes.js';
import { askBeforeImport } from '../hooks/call.js';
import type { HookFile } from '../hooks/hooks.js';
import { findHooks, type HookSource } from '../hooks/load.js';
import { withMapper } from '../hooks/mapper.js';
import { readAs } from '../read/encoding.js';
import { readHeader } from '../read/header.js';
import { wordingOf } from '../read/labels.js';
import type { ReadMeter } from '../read/meter.js';
import type { PgpContext } from '../read/pgp.js';
import { openRows } from '../read/rowstream.js';
import { isFullFile, type Source } from '../read/source.js';
import { unwrap } from '../read/unwrap.js';
import type { FileType, Refusal } from '../types.js';
import { SmallFiles, smallBytes } from './smallfiles.js';

export interface UploadSource {
  upload: UploadRow;
  source: Source;
  /** null: the header does not show it. */
  type: FileType | null;
}

export interface SourceDeps {
  settings: Settings;
  paths: Paths & StorePaths;
  control: Db;
  logger: Logger;
  /** Milliseconds since 1970; absent: the clock of the machine. */
  now?: () => number;
  /** Absent: those of the setting importHooks. */
  hooks?: HookSource;
  /** Measures how much of a file has been read; absent: it is not measured. */
  meter?: ReadMeter;
  /** Gets the id of each upload when the process begins to read it. */
  onFile?: (uploadId: number) => void;
}

/**
 * A file that stopped an importer before, or has no record in the audit trail, is refused unread; one that its owner has removed is
 * left out.
 * @param uploads oldest first.
 */
export async function orderSources(
  deps: SourceDeps,
  identity: () => Promise<string>,
  org: Org,
  uploads: readonly UploadRow[],
  purpose: 'import' | 'check' = 'import',
): Promise<UploadSource[]> {
  const refusals = await findRefusals(deps, uploads, purpose);
  const typed: UploadSource[] = [];
  const pgp = pgpContext(deps, org, identity);
  const keys = new RecentKeys(identity);
  const hooks = await findHooks(deps);
  const read = new Map<number, HeaderType>();
  // A file that is checked may be removed meanwhile: its next reading notices that. One that is imported has been claimed.
  const small = purpose === 'import' ? new SmallFiles() : null;
  for (const upload of uploads) {
    // A hook that never gives the processor back counts against the file, as reading it would.
    if (hooks?.beforeImport !== undefined) deps.onFile?.(upload.id);
    const refusal =
      refusals.get(upload.id) ?? (await askBeforeImport(hooks, deps.settings, toHookFile(upload, purpose)));
    const sent = openUploadSource(deps, identity, keys, upload, refusal, small);
    const measured = deps.meter?.watch(sent) ?? sent;
    const source = withMapper(await readAs(unwrap(measured, deps.settings, pgp), org.options.encoding), hooks);
    const type = refusal === null ? await typeOf(deps, org, upload, source, read) : null;
    if (read.size === mostUnrecorded) await record(deps.control, read);
    if (type !== 'removed') typed.push({ upload, source, type });
  }
  await record(deps.control, read);
  const rank = ({ type }: UploadSource) => (type === 'teams' ? 0 : 1);
  return typed.sort((a, b) => rank(a) - rank(b));
}

function toHookFile({ org, path, size, sha256 }: UploadRow, purpose: HookFile['purpose']): HookFile {
  return { org, path, name: splitPath(path).name, bytes: size, sha256, purpose };
}

/** By the id of the upload. */
async function findRefusals(
  { control, settings, logger }: SourceDeps,
  uploads: readonly UploadRow[],
  purpose: 'import' | 'check',
): Promise<Map<number, Refusal>> {
  const ids = uploads.map(({ id }) => id);
  const refusals = new Map<number, Refusal>();
  for (const [id, cause] of await findQuarantined(control.read, ids, purpose))
    refusals.set(id, refuseFor(cause, settings));
  for (const id of await findUnrecorded(control.read, uploads)) {
    refusals.set(id, refuse('unrecorded'));
    logger.error(
      'an upload has no record in the audit trail, as if a program other than Dropslot had written it to the database; will refuse it',
      { org: uploads.find((upload) => upload.id === id)!.org, upload: id },
    );
  }
  return refusals;
}

/** By which keys PGP files of an organization are read. */
export function pgpContext(
  { control, now = Date.now }: Pick<SourceDeps, 'control' | 'now'>,
  org: Org,
  identity: () => Promise<string>,
): PgpContext {
  return { options: org.options, readKeys: () => readPgpKeys(control.read, org.id, identity), now };
}

/** Types of headers that were read and are not recorded yet: each transaction costs a sync of the disk. */
const mostUnrecorded = 100;

async function record({ write }: Db, read: Map<number, HeaderType>): Promise<void> {
  if (read.size > 0) await write.transaction((tx) => recordHeaderTypes(tx, read));
  read.clear();
}

/** @param read gets the type where it is another one than the upload's row has. */
async function typeOf(
  { settings, control }: SourceDeps,
  org: Org,
  upload: UploadRow,
  source: Source,
  read: Map<number, HeaderType>,
): Promise<FileType | null | 'removed'> {
  // The hooks may have been others when it was recorded.
  if (upload.headerType !== null && source.mapper === undefined)
    return upload.headerType === 'none' ? null : upload.headerType;
  const { type, isDamaged } = await peekType(source, settings, org);
  if (isDamaged) return (await isRemoved(control, upload)) ? 'removed' : null;
  if (upload.headerType !== (type ?? 'none')) read.set(upload.id, type ?? 'none');
  return type;
}

/** Also one that was sealed anew without a person: its next check reads that. */
async function isRemoved({ read }: Db, { id, blobId }: UploadRow): Promise<boolean> {
  const upload = await findUpload(read, id);
  return upload === null || !isWaiting(upload) || upload.blobId !== blobId;
}

function openUploadSource(
  { paths, logger, control, onFile }: SourceDeps,
  identity: () => Promise<string>,
  keys: RecentKeys,
  upload: UploadRow,
  refusal: Refusal | null,
  /** null: the file is opened each time. */
  small: SmallFiles | null,
): Source {
  return {
    name: upload.path.slice(upload.path.lastIndexOf('/') + 1),
    bytes: upload.size,
    sha256: upload.sha256,
    isFull: isFullFile(upload.path),
    open: async function* () {
      if (refusal !== null) throw new RefusalError(refusal);
      onFile?.(upload.id);
      const kept = small?.find(upload.id) ?? null;
      if (kept !== null) {
        yield kept;
        return;
      }
      const pieces: Buffer[] | null = small !== null && upload.size <= smallBytes ? [] : null;
      try {
        const recent = small === null ? undefined : await keys.recent();
        const reader = await openBlobOf(placesOf(paths, upload.org), upload.blobId, identity, { recent });
        const hash = createHash('sha256');
        try {
          for await (const piece of reader.stream()) {
            hash.update(piece);
            if (pieces === null) yield piece;
            else pieces.push(piece);
          }
        } finally {
          await reader.close();
        }
        // Whoever can write to the disk can seal any content: it must be the content that was uploaded.
        if (hash.digest('hex') !== upload.sha256)
          throw new SpaceError('damaged', `blob ${upload.blobId} has another content than the one that was uploaded`);
        if (pieces === null) return;
        const content = Buffer.concat(pieces);
        small?.keep(upload.id, content);
        if (content.length > 0) yield content;
      } catch (error) {
        if (!(error instanceof SpaceError) || error.code !== 'damaged') throw error;
        // Its owner may remove a file while it is checked: nothing is damaged then, and no report on it is published.
        if (await isRemoved(control, upload)) throw new RefusalError(refuse('damaged'));
        logger.error('could not read an upload, its stored file is damaged; will refuse it', {
          org: upload.org,
          upload: upload.id,
          reason: error.message,
        });
        throw new RefusalError(refuse('damaged'));
      }
    },
  };
}

/** How long an import takes the identities to be the same (ms): to look for a change costs more than to read a small file. */
const recentMs = 1_000;

/** The organization's identities, as they were at most a moment ago. */
class RecentKeys {
  readonly #identity: () => Promise<string>;
  #read: { at: number; identities: string } | null = null;

  constructor(identity: () => Promise<string>) {
    this.#identity = identity;
  }

  async recent(): Promise<string> {
    if (this.#read === null || performance.now() > this.#read.at + recentMs)
      this.#read = { at: performance.now(), identities: await this.#identity() };
    return this.#read.identities;
  }
}

function refuseFor(cause: Cause, { maxFileMinutes, maxCheckMinutes, importerMemoryBytes }: Settings): Refusal {
  if (cause === 'check_time') return refuse('check_too_long', { minutes: maxCheckMinutes });
  const reasons = {
    hung: 'it stopped the importer twice',
    time: `it took more than ${maxFileMinutes} minutes`,
    memory: `it needed more than ${Math.round(importerMemoryBytes / 1024 ** 2)} MiB of memory`,
  };
  return refuse('too_costly', { reason: reasons[cause] });
}

/** null: the header does not show it; reading the whole file reports why. */
async function peekType(
  source: Source,
  settings: Settings,
  org: Org,
): Promise<{ type: FileType | null; isDamaged: boolean }> {
  try {
    for await (const [header] of openRows(source, settings))
      return { type: readHeader(header!, settings, wordingOf(org, [])).type, isDamaged: false };
    return { type: null, isDamaged: false };
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    return { type: null, isDamaged: error.refusal.code === 'damaged' };
  }
}
