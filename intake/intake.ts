/** Owns the intake: begins uploads, and executes the removals and renames that affect the queue. */
import type { Logger } from '../config/logger.js';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import type { Db } from '../db/connection.js';
import { isBlobLive } from '../db/control/blobs.js';
import { type EntryRow, findEntry } from '../db/control/entries.js';
import type { Org } from '../db/control/orgs.js';
import { deletePartial, type PartialRow } from '../db/control/partials.js';
import { KeyError } from '../keys/error.js';
import { loadOrCreateNodeKey } from '../keys/master/nodekey.js';
import { isInControl, sealAndCommit } from '../storage/blobcommit.js';
import { createBlob, openBlobOf, removeBlob } from '../storage/blobs.js';
import { type Disk, systemDisk } from '../storage/disk.js';
import { asSpaceError } from '../storage/failure.js';
import { shareSyncs, subfolderPicker } from '../storage/foldersync.js';
import { findOwnPartial, openPartial, removePartials } from '../storage/partials.js';
import { checkPath, isBelow, isFixed, requireWritable, splitPath } from '../storage/path.js';
import { Quota } from '../storage/quota.js';
import { findRecipient } from '../storage/recipient.js';
import type { SealStep } from '../storage/sealedwriter.js';
import type { SealingThreads } from '../storage/sealingpool.js';
import { findJustArchived } from '../storage/space.js';
import { checkPathLimits, type Limits, limitsOf } from '../storage/storagelimits.js';
import { SpaceError } from '../storage/types.js';
import { type Base, Content } from './content.js';
import { GroupCommit, type Work } from './groupcommit.js';
import { audit, type ClosedUpload, type Freed, publishUpload } from './publish.js';
import { ResumeRecord } from './resume.js';
import { removeFile, renamePath, requireFree } from './treechanges.js';
import type { BeginOptions, Intake, Receipt, Sender, Upload } from './types.js';
import { OpenUpload, type UnpublishedUpload, type UploadContext } from './upload.js';

/** The steps between which a crash can interrupt a CLOSE. */
export type IntakeStep = SealStep | 'committed';

export interface IntakeDeps {
  control: Db;
  paths: Paths;
  settings: Limits & Pick<Settings, 'uploadWindowBytes' | 'keepPartialHours' | 'minFreeBytes'>;
  logger: Logger;
  now: () => number;
  /** Opens an organization's age identity, for a write over a part of a file; throws KeyError where this server holds no key. */
  identity: (org: Org) => Promise<string>;
  /** Default: the real one. */
  disk?: Disk;
  /** Seals large uploads; null: this thread does. */
  sealingThreads?: SealingThreads | null;
  /** Called after each step of each CLOSE. */
  onStep?: (step: IntakeStep) => void;
}

/** One for a whole server: its commits are shared by all sessions. */
export interface IntakeService {
  forSender(org: Org, sender: Sender): Intake;
  /** The number of uploads that have begun, and neither finished nor aborted. */
  openUploads(): number;
  /** Aborts every open upload; those that are closing are closed first. */
  abortAll(): Promise<void>;
}

export function createIntake(deps: IntakeDeps): IntakeService {
  const disk = shareSyncs(deps.disk ?? systemDisk);
  const commits = new GroupCommit(deps.control);
  const open = new Set<Upload>();
  const shared: Shared = {
    ...deps,
    disk,
    nextSubfolder: subfolderPicker(),
    commits,
    open,
    quota: new Quota({ ...deps, disk }),
  };
  return {
    forSender: (org, sender) => new SenderIntake(shared, org, sender),
    openUploads: () => open.size,
    abortAll: async () => {
      await Promise.all([...open].map((upload) => upload.abort()));
    },
  };
}

/** Shared by all sessions of a server. */
interface Shared extends IntakeDeps {
  disk: Disk;
  /** The folder of the next blob. */
  nextSubfolder: () => string;
  commits: GroupCommit;
  quota: Quota;
  open: Set<Upload>;
}

/** The versions of a path at an upload's start. */
interface PathState {
  /** The complete file at the path; null: none. */
  existing: EntryRow | null;
  /** The rest of an upload that was cut off; null: none, or a complete file hides it. */
  partial: PartialRow | null;
  /** The file that an import has just taken from the path, for a writer that goes on from its bytes; null: none. */
  archived: EntryRow | null;
}

class SenderIntake implements Intake {
  readonly #deps: Shared;
  readonly #org: Org;
  readonly #sender: Sender;
  readonly #context: UploadContext;
  /** Uploads in progress of this sender alone. */
  readonly #own = new Set<OpenUpload>();

  constructor(deps: Shared, org: Org, sender: Sender) {
    this.#deps = deps;
    this.#org = org;
    this.#sender = sender;
    this.#context = {
      org,
      sender,
      now: deps.now,
      publish: (upload) => this.#publish(upload),
      onStep: deps.onStep ?? (() => {}),
      onUnpublished: (upload) => this.#recordUnpublished(upload),
      onEnd: (upload) => {
        deps.open.delete(upload);
        this.#own.delete(upload as OpenUpload);
      },
      warn: (message, cause) => void deps.logger.warn(message, { org: org.id, cause: String(cause) }),
    };
  }

  begin(path: string, options: BeginOptions): Promise<Upload> {
    return asSpaceError(async () => {
      checkPath(path);
      const state = await this.#checkTarget(path, options);
      const resumed = options.truncate ? null : state.partial;
      const claim = await this.#deps.quota.claim(this.#org, state.existing === null, resumed?.size ?? 0);
      try {
        if (state.existing === null) checkPathLimits(path, claim.limits);
        const { settings, now, open } = this.#deps;
        const begunAt = now();
        const subject = { path, begunAt, basedOn: resumed?.id ?? null, keeps: settings.keepPartialHours > 0 };
        const resumeRecord = new ResumeRecord(this.#resumeContext(), subject);
        const content = await this.#beginContent(state, options, claim.limits);
        // As open(2) does: the attributes of an OPEN hold for a file that it creates. sshfs appends with mode 0000.
        const before = state.existing ?? state.partial ?? state.archived;
        const attributes = before === null ? options.attributes : { mode: before.mode };
        const parts = { path, content, claim, resumeRecord, begunAt, append: options.append, attributes };
        const upload = new OpenUpload(this.#context, parts);
        open.add(upload);
        this.#own.add(upload);
        return upload;
      } catch (error) {
        claim.release(0);
        throw error;
      }
    });
  }

  remove(path: string): Promise<void> {
    return asSpaceError(async () => {
      checkPath(path);
      requireWritable(path);
      if (isFixed(path)) throw new SpaceError('is_a_folder', `${path} is a folder`);
      const at = this.#deps.now();
      const open = this.#openAt(path);
      const work: Work<Freed> = (tx) => removeFile(tx, this.#org, this.#sender, path, at);
      const freed = await this.#deps.commits.run(work).catch((error) => {
        if (open.length > 0 && isAbsent(error)) return null;
        throw error;
      });
      for (const upload of open) upload.remove();
      if (freed !== null) await this.#release(freed);
    });
  }

  rename(from: string, to: string, overwrite: boolean): Promise<void> {
    return asSpaceError(async () => {
      for (const path of [from, to]) {
        checkPath(path);
        requireWritable(path);
        if (isFixed(path)) throw new SpaceError('unsupported', `${path} can't be renamed`);
      }
      const at = this.#deps.now();
      checkPathLimits(to, limitsOf(this.#org, this.#deps.settings));
      const rename = { from, to, overwrite };
      const work: Work<Freed> = (tx) => renamePath(tx, this.#org, this.#sender, rename, at);
      const freed = await this.#deps.commits.run(work).catch(async (error) => {
        if (this.#openAt(from).length === 0 || !isAbsent(error)) throw error;
        await this.#deps.commits.run((tx) => requireFree(tx, this.#org, to, overwrite));
        return null;
      });
      for (const upload of this.#own)
        if (upload.path === from || isBelow(upload.path, from)) upload.moveTo(to + upload.path.slice(from.length));
      if (freed !== null) await this.#release(freed);
    });
  }

  #openAt(path: string): OpenUpload[] {
    return [...this.#own].filter((upload) => upload.path === path && !upload.isRemoved);
  }

  async #checkTarget(path: string, options: BeginOptions): Promise<PathState> {
    requireWritable(path);
    if (isFixed(path)) throw new SpaceError('is_a_folder', `${path} is a folder`);
    const db = this.#deps.control.read;
    const existing = await findEntry(db, this.#org.id, path);
    if (existing?.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder`);
    const partial = existing === null ? await findOwnPartial(this.#deps, this.#org.id, path) : null;
    const exists = existing !== null || partial !== null;
    if (exists && options.exclusive) throw new SpaceError('exists', `${path} exists`);
    if (existing !== null) return { existing, partial, archived: null };
    // A client that does not ask for a new file has seen the one that an import has just taken.
    const archived = exists || options.create ? null : await findJustArchived(this.#deps, this.#org.id, path);
    if (partial === null && archived === null && !options.create)
      throw new SpaceError('not_found', `${path} does not exist`);
    const { dir } = splitPath(path);
    const folder = dir === '/' ? null : await findEntry(db, this.#org.id, dir);
    if (folder?.kind === 'file') throw new SpaceError('not_a_folder', `${dir} is a file`);
    if (folder === null && !isFixed(dir)) throw new SpaceError('not_found', `${dir} does not exist`);
    return { existing, partial, archived };
  }

  async #beginContent(state: PathState, { truncate }: BeginOptions, limits: Limits): Promise<Content> {
    const { control, paths, settings, disk, nextSubfolder, sealingThreads } = this.#deps;
    const base = truncate ? null : await this.#openBase(state);
    const { uploadWindowBytes } = settings;
    const { maxFileBytes } = limits;
    try {
      const create = async () =>
        createBlob(paths, await findRecipient(control.read, this.#org.id), {
          disk,
          sealingThreads,
          subfolder: nextSubfolder(),
        });
      return await Content.begin(create, base, { maxFileBytes, uploadWindowBytes });
    } catch (error) {
      await base?.reader?.close();
      throw error;
    }
  }

  async #openBase({ existing, partial, archived }: PathState): Promise<Base | null> {
    if (partial !== null) return { size: partial.size, reader: await openPartial(this.#deps, partial) };
    const entry = existing ?? archived;
    if (entry === null || entry.size === 0) return null;
    try {
      const identity = () => this.#deps.identity(this.#org);
      const { paths, disk } = this.#deps;
      return { size: entry.size, reader: await openBlobOf(paths, entry.blobId!, identity, disk) };
    } catch (error) {
      if (error instanceof KeyError) return { size: entry.size, reader: null };
      throw error;
    }
  }

  async #publish(upload: ClosedUpload): Promise<Receipt> {
    const { commits, control, paths, disk, logger } = this.#deps;
    const published = await sealAndCommit({
      ...{ paths, disk, logger },
      isNamed: isInControl(control),
      seal: (keep) => keep(upload.blob),
      commit: () => commits.run((tx) => publishUpload(tx, upload)),
    });
    this.#deps.onStep?.('committed');
    await this.#release(published.freed);
    return published.receipt;
  }

  /** Records the end of an unpublished upload: keeps or deletes its partial, and adds the audit record. */
  async #recordUnpublished({
    path,
    begunAt,
    size,
    failure,
    keptBytes,
    resumeRecord,
    content,
    attributes,
  }: UnpublishedUpload): Promise<void> {
    try {
      const keep = keptBytes > 0 ? await resumeRecord.keep(content.remains, attributes, keptBytes) : null;
      const noted = await resumeRecord.settle();
      const at = this.#deps.now();
      const detail = { size, keptBytes, ms: at - begunAt };
      const partials = await this.#deps.commits.run(async (tx) => {
        const forgotten = keep === null ? [] : await keep(tx);
        if (keep === null && noted !== null) await deletePartial(tx, noted);
        const outcome = failure !== null ? 'failed' : keptBytes > 0 ? 'partial' : 'aborted';
        const reason = failure === null ? {} : { reason: failure.code };
        await audit(tx, this.#org, this.#sender, at, `upload.${outcome}`, path, { outcome, ...detail, ...reason });
        return forgotten;
      });
      await this.#release({ blob: null, partials });
    } catch (cause) {
      this.#context.warn('could not record the end of an unpublished upload; it is missing in the audit trail', cause);
    }
  }

  #resumeContext() {
    const { commits, paths, now } = this.#deps;
    return { org: this.#org, commits, now, nodeKey: () => loadOrCreateNodeKey(paths), warn: this.#context.warn };
  }

  /** Removes bytes to which no row refers. The request has succeeded already: a failure is only logged. */
  async #release({ blob, partials }: Freed): Promise<void> {
    const { control, paths, disk } = this.#deps;
    try {
      if (blob !== null && !(await isBlobLive(control.read, blob))) await removeBlob(paths, blob, disk);
      await removePartials(paths, partials, disk);
    } catch (cause) {
      this.#context.warn(
        'could not remove the bytes of a removed file; retention or the next start will remove them',
        cause,
      );
    }
  }
}

/** No complete file has the name. */
function isAbsent(error: unknown): boolean {
  return error instanceof SpaceError && (error.code === 'not_found' || error.code === 'incomplete');
}
