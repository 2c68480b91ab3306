/** The stored files of an organization, for its operator: list them, and read one. */
import { recordAudit } from '../db/control/audit.js';
import { findFile, listFiles, type StoredFile } from '../db/control/filelist.js';
import { OperationError } from './error.js';
import { describeName } from './storedfiles.js';
import type { Workplace } from './workplace.js';

/** `note`: why a stored file is not imported; null: there is no such reason. */
export type ListedFile = StoredFile & { note: string | null };

const chunkBytes = 1024 * 1024;

/** A file itself, or all that is below a folder. @throws OperationError, SpaceError `not_found` */
export async function* walkFiles(workplace: Workplace, orgId: string, path: string): AsyncGenerator<ListedFile> {
  const org = await workplace.org(orgId);
  const at = normalize(path);
  // The read-only folders exist before any file is in them: only the space knows them.
  const { read } = workplace.control;
  const note = (file: StoredFile) => (file.state === 'stored' ? describeName(file.path, org.options) : null);
  if ((await (await workplace.space(org)).stat(at)).kind === 'dir')
    for await (const file of listFiles(read, org.id, at)) yield { ...file, note: note(file) };
  else {
    const file = await findFile(read, org.id, at);
    if (file !== null) yield { ...file, note: note(file) };
  }
}

/**
 * The plaintext of a stored file. Recorded in the audit trail before the first byte.
 * @param signal its reader has left
 * @throws OperationError, SpaceError
 */
export async function* readFileContent(
  workplace: Workplace,
  orgId: string,
  path: string,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const org = await workplace.org(orgId);
  const at = normalize(path);
  const space = await workplace.space(org);
  const reader = await space.openRead(at, signal);
  try {
    const { actor } = workplace;
    await recordAudit(workplace.control.write, {
      at: workplace.now(),
      org: org.id,
      actor,
      action: 'file.read',
      subject: at,
      detail: { size: reader.entry.size },
    });
    for (let offset = 0; offset < reader.entry.size; ) {
      const bytes = await reader.read(offset, chunkBytes);
      if (bytes.length === 0)
        throw new OperationError('failed', `${at} ends after ${offset} of ${reader.entry.size} bytes`);
      yield bytes;
      offset += bytes.length;
    }
  } finally {
    await reader.close();
  }
}

/** Absolute, without doubled or closing slashes: `archive/` is `/archive`. */
function normalize(path: string): string {
  const parts = path.split('/').filter((part) => part !== '');
  return `/${parts.join('/')}`;
}
