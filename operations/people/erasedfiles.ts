/** Takes a person out of the stored files of an organization: opens each, and seals those with a mention anew without it. */
import { isUtf8 } from 'node:buffer';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Queryable } from '../../db/connection.js';
import { recordAudit } from '../../db/control/audit.js';
import { findBlob, isBlobLive, listBlobs } from '../../db/control/blobs.js';
import { listNamesOf, removeNames, replaceBlob } from '../../db/control/erasure.js';
import type { Org } from '../../db/control/orgs.js';
import { wordingOf } from '../../importer/read/labels.js';
import { isInControl, sealAndCommit } from '../../storage/blobcommit.js';
import { createBlob, openBlobOf, removeBlob } from '../../storage/blobs.js';
import { placesOf } from '../../storage/blobstore.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { SpaceError } from '../../storage/types.js';
import type { Workplace } from '../workplace.js';
import { type Person, redactText, withIdentifier } from './redact.js';

export interface ErasedFromFiles {
  /** Files that were sealed anew without the person. */
  rewritten: number;
  /** Files that can't be searched and were removed. */
  removed: number;
  /** Paths of files that can't be searched and are kept: no text, too large, damaged. */
  unsearched: string[];
}

export interface FileErasure {
  /** Whether files that can't be searched are removed. */
  removesUnsearched: boolean;
  onProgress: (searched: number) => void;
}

/** A larger file is not read into memory. */
const mostBytes = 256 * 1024 * 1024;

/**
 * Returns false where a file must be searched again, which a run took or another erasure replaced, and where one had the person: a check may
 * have reported on it meanwhile.
 * @param seen ids of the blobs that need no second search; those that were searched are added.
 * @param erased gets the counts
 * @throws SpaceError `failed` when the disk fails, KeyError
 */
export async function eraseFromFiles(
  workplace: Workplace,
  org: Org,
  person: Person,
  { removesUnsearched, onProgress }: FileErasure,
  seen: Set<string>,
  erased: ErasedFromFiles,
): Promise<boolean> {
  const { control, paths } = workplace;
  let isWhole = true;
  const wording = withIdentifier(wordingOf(org, []), org.options.identifier);
  for (const { id, size } of await listBlobs(control.read, org.id)) {
    if (seen.has(id) || !(await isBlobLive(control.read, id))) continue;
    const names = await listNamesOf(control.read, org.id, id);
    const content = size > mostBytes ? null : await readBlob(workplace, org, id);
    const redacted = content === null ? null : redactBytes(content, person, wording, names.some(isCsvName));
    if (redacted === null) {
      if (removesUnsearched && (await control.transact((tx) => removeNames(tx, org.id, id)))) {
        if (!(await isBlobLive(control.read, id))) await removeBlob(paths, id);
        erased.removed++;
      } else erased.unsearched.push(...names);
    } else if (redacted !== 'clean') {
      isWhole = false;
      if (!(await replace(workplace, org, id, redacted))) continue;
      erased.rewritten++;
    }
    seen.add(id);
    onProgress(seen.size);
  }
  return isWhole;
}

/** null: it can't be opened or read to its end. */
async function readBlob(workplace: Workplace, org: Org, id: string): Promise<Buffer | null> {
  try {
    const reader = await openBlobOf(placesOf(workplace.paths, org.id), id, () => workplace.identity(org));
    try {
      const pieces: Buffer[] = [];
      for await (const piece of reader.stream()) pieces.push(piece);
      return Buffer.concat(pieces);
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (error instanceof SpaceError && error.code === 'damaged') return null;
    throw error;
  }
}

/** null: these bytes are no text that can be searched; `clean`: they have no mention of the person. */
export function redactBytes(
  bytes: Buffer,
  person: Person,
  wording: ReturnType<typeof wordingOf>,
  isCsv: boolean,
): Buffer | 'clean' | null {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const plain = unzip(bytes);
    const redacted = plain === null ? null : redactBytes(plain, person, wording, isCsv);
    return redacted === null || redacted === 'clean' ? redacted : gzipSync(redacted);
  }
  const form = formOf(bytes);
  if (form === null) return null;
  const redacted = redactText(form.read(bytes), person, wording, isCsv);
  return redacted === null ? 'clean' : form.write(redacted);
}

interface Form {
  read(bytes: Buffer): string;
  write(text: string): Buffer;
}

const simple = (encoding: 'utf8' | 'latin1' | 'utf16le'): Form => ({
  read: (bytes) => bytes.toString(encoding),
  write: (text) => Buffer.from(text, encoding),
});
const bigEndian: Form = {
  read: (bytes) =>
    Buffer.from(bytes.subarray(0, bytes.length - (bytes.length % 2)))
      .swap16()
      .toString('utf16le'),
  write: (text) => Buffer.from(text, 'utf16le').swap16(),
};

/** The first bytes of files that are no plain text: PDF, PGP, age, zip and workbooks. */
const foreign = ['%PDF', '-----BEGIN', 'age-encryption', 'PK'];

/** null: it is no text. A file in Windows-1252 is read and written byte by byte. */
function formOf(bytes: Buffer): Form | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return simple('utf16le');
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return bigEndian;
  const start = bytes.toString('latin1', 0, 16);
  if (bytes.includes(0) || foreign.some((mark) => start.startsWith(mark))) return null;
  return simple(isUtf8(bytes) ? 'utf8' : 'latin1');
}

function unzip(bytes: Buffer): Buffer | null {
  try {
    return gunzipSync(bytes, { maxOutputLength: mostBytes });
  } catch {
    return null;
  }
}

function isCsvName(name: string): boolean {
  return /\.csv(?:\.gz)?$/i.test(name);
}

/** Seals the content in place of the blob; false: a run is at work on the file. */
async function replace(workplace: Workplace, org: Org, id: string, content: Buffer): Promise<boolean> {
  const { control, paths, now } = workplace;
  const { recipient } = await workplace.org(org.id);
  const isReplaced = await sealAndCommit({
    paths,
    isNamed: isInControl(control),
    seal: async (keep) => {
      const writer = await createBlob(paths, recipient);
      return keep(
        (async (): Promise<SealedBlob> => {
          try {
            await writer.write(content);
            return await writer.finish();
          } catch (error) {
            await writer.discard();
            throw error;
          }
        })(),
      );
    },
    commit: async (blob) => {
      const made = await control.transact(async (tx) => {
        const uploads = await replaceBlob(tx, { ...blob, org: org.id, createdAt: now() }, id);
        // An upload is imported only with the digest that the audit trail has last.
        for (const upload of uploads ?? []) await recordRewritten(tx, workplace, org, upload, blob);
        return uploads;
      });
      return made === null ? null : true;
    },
  });
  if (isReplaced !== true) return false;
  if ((await findBlob(control.read, id)) === null || !(await isBlobLive(control.read, id))) await removeBlob(paths, id);
  return true;
}

function recordRewritten(
  tx: Queryable,
  { actor, now }: Workplace,
  { id: org }: Org,
  upload: number,
  { size, sha256 }: SealedBlob,
): Promise<void> {
  const detail = { upload, outcome: 'sealed anew without a person', size, sha256 };
  return recordAudit(tx, { at: now(), org, actor, action: 'upload.rewritten', subject: `upload ${upload}`, detail });
}
