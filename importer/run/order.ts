/** The order of a run's files: teams before users, and within a type the oldest upload first (rule F10). */
import type { Logger } from '../../config/logger.js';
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { Db } from '../../db/connection.js';
import type { Org } from '../../db/control/orgs.js';
import { type Cause, findQuarantined } from '../../db/control/quarantine.js';
import type { UploadRow } from '../../db/control/uploads.js';
import { openBlobOf } from '../../storage/blobs.js';
import { SpaceError } from '../../storage/types.js';
import { RefusalError, refuse } from '../codes.js';
import { readAs } from '../read/encoding.js';
import { readHeader } from '../read/header.js';
import { wordingOf } from '../read/labels.js';
import { openRows } from '../read/rowstream.js';
import { isFullFile, type Source } from '../read/source.js';
import type { FileType, Refusal } from '../types.js';

export interface UploadSource {
  upload: UploadRow;
  source: Source;
}

export interface SourceDeps {
  settings: Settings;
  paths: Paths;
  control: Pick<Db, 'read'>;
  logger: Logger;
  /** Gets the id of each upload when the process begins to read it. */
  onFile?: (uploadId: number) => void;
}

/**
 * A file that stopped an importer before is refused unread.
 * @param uploads oldest first.
 */
export async function orderSources(
  deps: SourceDeps,
  identity: () => Promise<string>,
  org: Org,
  uploads: readonly UploadRow[],
  purpose: 'import' | 'check' = 'import',
): Promise<UploadSource[]> {
  const { settings, control } = deps;
  const ids = uploads.map(({ id }) => id);
  const quarantined = await findQuarantined(control.read, ids, purpose);
  const typed = [];
  for (const upload of uploads) {
    const opened = openUploadSource(deps, identity, upload, quarantined.get(upload.id) ?? null);
    const source = await readAs(opened, org.options.encoding);
    typed.push({ upload, source, rank: (await peekType(source, settings, org)) === 'teams' ? 0 : 1 });
  }
  return typed.sort((a, b) => a.rank - b.rank).map(({ upload, source }) => ({ upload, source }));
}

function openUploadSource(
  { settings, paths, logger, onFile }: SourceDeps,
  identity: () => Promise<string>,
  upload: UploadRow,
  cause: Cause | null,
): Source {
  return {
    name: upload.path.slice(upload.path.lastIndexOf('/') + 1),
    bytes: upload.size,
    sha256: upload.sha256,
    isFull: isFullFile(upload.path),
    open: async function* () {
      if (cause !== null) throw new RefusalError(refuseFor(cause, settings));
      onFile?.(upload.id);
      try {
        const reader = await openBlobOf(paths, upload.blobId, identity);
        try {
          yield* reader.stream();
        } finally {
          await reader.close();
        }
      } catch (error) {
        if (!(error instanceof SpaceError) || error.code !== 'damaged') throw error;
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
async function peekType(source: Source, settings: Settings, org: Org): Promise<FileType | null> {
  try {
    for await (const [header] of openRows(source, settings))
      return readHeader(header!, settings, wordingOf(org, [])).type;
    return null;
  } catch (error) {
    if (error instanceof RefusalError) return null;
    throw error;
  }
}
