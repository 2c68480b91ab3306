/** Takes one file from a place: sealed as it streams, published and remembered in one transaction. */
import { createHash } from 'node:crypto';
import { ensureFolders, findEntry } from '../db/control/entries.js';
import type { Org } from '../db/control/orgs.js';
import { recordSeen, recordTaken, type TakenFile } from '../db/control/sourcefiles.js';
import { holdSource, type Source, wordOf } from '../db/control/sources.js';
import type { Intake, Upload } from '../intake/types.js';
import { isFixed, splitPath } from '../storage/path.js';
import { limitsOf } from '../storage/storagelimits.js';
import { SpaceError } from '../storage/types.js';
import type { RoundDeps } from './deps.js';
import { SourceError } from './error.js';
import { pathOf } from './names.js';
import type { Listed, OpenFile, Place } from './place.js';

export interface Task {
  source: Source;
  org: Org;
  place: Place;
  file: Listed;
  /** The version of its name that was taken before; null: none. */
  before: TakenFile | null;
}

/** `unchanged`: its content is the one that was taken before under its name. */
export interface Outcome {
  kind: 'taken' | 'unchanged';
  bytes: number;
  file: TakenFile;
}

/** @throws SourceError, SpaceError; nothing was published then, unless the transaction was committed */
export async function takeFile(deps: RoundDeps, task: Task): Promise<Outcome> {
  const { source, org, place, file } = task;
  const limit = limitsOf(org, deps.settings).maxFileBytes;
  if (file.size > limit) throw new SpaceError('too_large', `a file of ${file.size} bytes; ${limit} are allowed`);
  const opened = await place.open(file);
  try {
    await requireSame(opened, file);
    await deps.onStep?.('opened');
    const path = pathOf(source.config.into, file.name)!;
    await makeFolder(deps, org, splitPath(path).dir);
    const door = `${wordOf(source.config.kind)}:${source.id}`;
    const sender = { keyFingerprint: null, address: place.address, client: door, door };
    const upload = await begin(deps.intake.forSender(org, sender), path, file);
    try {
      return await transfer(deps, task, opened, upload);
    } catch (error) {
      await upload.abort();
      throw error;
    }
  } finally {
    await opened.close().catch(() => {});
  }
}

function begin(intake: Intake, path: string, { mtimeMs }: Listed): Promise<Upload> {
  const flags = { truncate: true, exclusive: false, create: true, append: false };
  return intake.begin(path, { ...flags, attributes: { mtimeMs } });
}

async function transfer(
  deps: RoundDeps,
  { source, file, before }: Task,
  opened: OpenFile,
  upload: Upload,
): Promise<Outcome> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of opened.read()) {
    if (deps.signal.aborted) throw new SourceError('stopped', 'the round was ended');
    hash.update(chunk);
    await upload.write(bytes, chunk);
    if (bytes === 0) await deps.onStep?.('read');
    bytes += chunk.length;
  }
  // A server may tell a size of 0 of a file that it makes as it is read; one that sends less than it told has not sent all.
  await requireSame(opened, file);
  if (bytes < file.size)
    throw new SourceError('changing', `only ${bytes} of ${file.size} bytes could be read; it is read again later`);
  const sha256 = hash.digest('hex');
  const isPending = source.config.after.kind !== 'keep';
  const { name, size, mtimeMs } = file;
  if (before?.sha256 === sha256) {
    await upload.abort();
    const seen: TakenFile = { ...before, size, mtimeMs, isPending };
    await recordSeen(deps.control.write, source.id, seen, deps.now());
    return { kind: 'unchanged', bytes: 0, file: seen };
  }
  await deps.onStep?.('sealed');
  let taken: TakenFile | null = null;
  const isWanted = () => !deps.signal.aborted;
  await upload.finish(isWanted, async (tx, { uploadId }) => {
    if (!(await holdSource(tx, source.id, deps.owner, deps.now() + deps.leaseMs)))
      throw new SourceError('lease', 'another node has this source now');
    taken = { name, size, mtimeMs, sha256, uploadId, isPending, goneAt: null };
    await recordTaken(tx, source.id, taken, deps.now());
  });
  await deps.onStep?.('taken');
  return { kind: 'taken', bytes, file: taken! };
}

async function requireSame(opened: OpenFile, file: Listed): Promise<void> {
  const { size, mtimeMs } = await opened.stat();
  if (size !== file.size || mtimeMs !== file.mtimeMs)
    throw new SourceError('changing', `${file.name} changed while it was read; it is read again later`);
}

/** The folder that the files enter; an import of its files may have removed it. */
async function makeFolder({ control, now }: RoundDeps, org: Org, dir: string): Promise<void> {
  if (isFixed(dir) || (await findEntry(control.read, org.id, dir)) !== null) return;
  if (!(await control.transact((tx) => ensureFolders(tx, org.id, dir, now()))))
    throw new SpaceError('not_a_folder', `${dir} is a file`);
}
