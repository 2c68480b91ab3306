/** Owns the intake: begins uploads, and executes the removals and renames that affect the queue. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaterLog } from '../config/laterlog.js';
import type { Logger } from '../config/logger.js';
import type { Paths } from '../config/paths.js';
import type { Settings } from '../config/settings.js';
import { newContext, tellSpan } from '../config/spans.js';
import type { Db, Queryable } from '../db/connection.js';
import { isBlobLive } from '../db/control/blobs.js';
import { type EntryRow, findEntry } from '../db/control/entries.js';
import type { Org } from '../db/control/orgs.js';
import { deleteOpenPartial, renewPartial } from '../db/control/partiallease.js';
import type { PartialRow } from '../db/control/partials.js';
import { findBeginning, findOpenPlace } from '../db/control/publishplace.js';
import { isAnswerLost, isConnectionLost } from '../db/error.js';
import { KeyError } from '../keys/error.js';
import { loadOrCreatePartialKey } from '../keys/master/partialkey.js';
import { isInControl, sealAndCommit } from '../storage/blobcommit.js';
import { createBlob, openBlobOf, openOwnBlob, removeBlob } from '../storage/blobs.js';
import { placesOf, type StorePaths } from '../storage/blobstore.js';
import { type Disk, systemDisk } from '../storage/disk.js';
import { asSpaceError } from '../storage/failure.js';
import { shareSyncs, subfolderPicker } from '../storage/foldersync.js';
import { findOwnPartial, openPartial, removePartials } from '../storage/partials.js';
import { checkPath, isBelow, isFixed, requireWritable, splitPath } from '../storage/path.js';
import { type Claim, Quota } from '../storage/quota.js';
import { findRecipient } from '../storage/recipient.js';
import type { BlobWriter, SealStep } from '../storage/sealedwriter.js';
import type { SealingThreads } from '../storage/sealingpool.js';
import { findJustArchived } from '../storage/space.js';
import { checkPathLimits, type Limits, limitsOf } from '../storage/storagelimits.js';
import { SpaceError } from '../storage/types.js';
import { UnsyncedBlobs } from '../storage/unsynced.js';
import { Content, type VersionReader } from './content.js';
import { type Base, Draft, type DraftContext, lend, type Member, Overtaken, type SealedVersion } from './draft.js';
import { GroupCommit, type Work } from './groupcommit.js';
import { Memory, type MemoryShare } from './memory.js';
import { audit, type ClosedUpload, type Freed, type Published, publishOnce, publishUpload } from './publish.js';
import { ResumeRecord } from './resume.js';
import { removeFile, renamePath, requireFree } from './treechanges.js';
import type { BeginOptions, Intake, Receipt, Sender, Upload } from './types.js';
import { OpenUpload, type UnpublishedUpload, type UploadContext } from './upload.js';
import { freeWriterLease, type WriterLease, WriterLeases } from './writerleases.js';

/** The steps between which a crash can interrupt a CLOSE. */
export type IntakeStep = SealStep | 'committed';

export interface IntakeDeps {
  control: Db;
  paths: Paths & StorePaths;
  settings: Limits &
    Pick<
      Settings,
      'uploadWindowBytes' | 'keepPartialHours' | 'minFreeBytes' | 'maxMemoryBytes' | 'maxMemoryBytesPerOrg' | 'role'
    >;
  logger: Logger;
  now: () => number;
  /** Opens an organization's age identity, for a write over a part of a file; throws KeyError where this server holds no key. */
  identity: (org: Org) => Promise<string>;
  /** Default: the real one. */
  disk?: Disk;
  /** Default: one of its own. */
  commits?: GroupCommit;
  /** Seals large uploads; null: this thread does. */
  sealingThreads?: SealingThreads | null;
  /** Names this process in the database; default: by chance. */
  process?: string;
  /** Called after each step of each CLOSE. */
  onStep?: (step: IntakeStep) => void;
  /** Names the start of the machine: small files are synced after their CLOSE, and rows have their bytes until then. null: at their CLOSE. */
  boot?: string | null;
  /** Milliseconds between two looks at the leases of open writers. */
  leaseEveryMs?: number;
}

/** One for a whole server: its commits are shared by all sessions. */
export interface IntakeService {
  /** For a server that begins: says to others that it has no keys, if that is so. */
  announce(): void;
  forSender(org: Org, sender: Sender): Intake;
  /** The number of uploads that have begun, and neither finished nor aborted. */
  openUploads(): number;
  /** Bytes of memory that the clients of all sessions hold now. */
  heldMemory(): number;
  /** Of all sessions. */
  readonly memory: Memory;
  /** Aborts every open upload, after those that are closing are closed, and syncs the small files that are left to sync. */
  abortAll(): Promise<void>;
}

export function createIntake(given: IntakeDeps): IntakeService {
  const deps = { process: randomBytes(8).toString('hex'), ...given };
  const disk = shareSyncs(deps.disk ?? systemDisk);
  const { commits = new GroupCommit(deps.control) } = deps;
  const open = new Set<OpenUpload>();
  const leases = new WriterLeases({
    ...{ control: deps.control, commits, now: deps.now, process: deps.process },
    isKeyless: deps.settings.role === 'intake',
    warn: (message, cause) => void deps.logger.warn(message, { cause: String(cause) }),
    ...(deps.leaseEveryMs !== undefined && { everyMs: deps.leaseEveryMs }),
  });
  const place = { control: deps.control, paths: deps.paths, disk, commit: (work: Work<void>) => commits.run(work) };
  const { boot = null } = deps;
  const isPlain = deps.control.dialect === 'sqlite' && deps.paths.store === undefined;
  const unsynced = boot === null || !isPlain ? null : new UnsyncedBlobs(place, boot, deps.logger);
  const shared: Shared = {
    ...deps,
    disk,
    unsynced,
    nextSubfolder: subfolderPicker(),
    commits,
    open,
    leases,
    laterLog: new LaterLog(deps.logger),
    quota: new Quota({ ...deps, disk }),
    memory: new Memory({
      orgBytes: deps.settings.maxMemoryBytesPerOrg,
      processBytes: deps.settings.maxMemoryBytes,
    }),
  };
  return {
    forSender: (org, sender) => new SenderIntake(shared, org, sender),
    openUploads: () => open.size,
    announce: () => leases.announce(),
    heldMemory: () => shared.memory.heldBytes,
    memory: shared.memory,
    abortAll: async () => {
      await Promise.all([...open].map((upload) => upload.abort()));
      await unsynced?.close();
    },
  };
}

/** Shared by all sessions of a server. */
interface Shared extends IntakeDeps {
  process: string;
  disk: Disk;
  /** The folder of the next blob. */
  nextSubfolder: () => string;
  /** null: every file is synced at its CLOSE. */
  unsynced: UnsyncedBlobs | null;
  commits: GroupCommit;
  laterLog: LaterLog;
  quota: Quota;
  memory: Memory;
  open: Set<OpenUpload>;
  leases: WriterLeases;
}

/** The versions of a path at an upload's start. */
interface PathState {
  /** The complete file at the path; null: none. */
  existing: EntryRow | null;
  /** The rest of an upload that was cut off; null: none, or a complete file hides it. */
  partial: PartialRow | null;
  /** The file that an import has just taken from the path, for a writer that goes on from its bytes; null: none. */
  archived: EntryRow | null;
  /** Seals the organization's files; null: it was not looked up, or there is none. */
  recipient: string | null;
  /** The highest id of an upload; 0: there was none. */
  lastUpload: number;
}

interface Begun {
  state: PathState;
  options: BeginOptions;
  claim: Claim;
  /** The partial that it resumes. */
  resumed: PartialRow | null;
  /** The draft that it joins; null: it begins one. */
  shared: Draft | null;
  /** Another upload of its session at the path. */
  own: OpenUpload | null;
  lease: WriterLease | null;
}

interface Joined {
  draft: Draft;
  member: Member;
}

/** The pauses before a CLOSE asks the database again whether its lost COMMIT took place. */
const retryPausesMs = [200, 500, 1_000, 2_000, 4_000];

/** Versions of a path that follow one another this fast are rare. */
const mostAttempts = 10;

class SenderIntake implements Intake {
  readonly memory: MemoryShare;
  readonly #deps: Shared;
  readonly #org: Org;
  readonly #sender: Sender;
  readonly #context: UploadContext;
  /** Uploads in progress of this sender alone. */
  readonly #own = new Set<OpenUpload>();

  constructor(deps: Shared, org: Org, sender: Sender) {
    this.#deps = { ...deps, paths: placesOf(deps.paths, org.id) };
    this.#org = org;
    this.#sender = sender;
    this.memory = deps.memory.open(org.id);
    this.#context = {
      org,
      sender,
      now: deps.now,
      publish: (upload) => this.#publish(upload),
      onStep: deps.onStep ?? (() => {}),
      onUnpublished: (upload) => this.#recordUnpublished(upload),
      onEnd: (upload) => {
        deps.open.delete(upload);
        this.#own.delete(upload);
        if (upload.lease !== null) deps.leases.forget(upload.lease);
      },
      warn: (message, cause) => void deps.logger.warn(message, { org: org.id, cause: String(cause) }),
    };
  }

  begin(path: string, options: BeginOptions): Promise<Upload> {
    return asSpaceError(async () => {
      checkPath(path);
      requireWritable(path);
      const { leases } = this.#deps;
      // Before the look at the published version, which no other writer changes then.
      const lease = isSeparate(options) ? null : await leases.take(this.#org.id, path);
      try {
        return await this.#beginAgain(path, options, lease);
      } catch (error) {
        if (lease !== null) await leases.free(lease);
        throw error;
      }
    });
  }

  remove(path: string): Promise<void> {
    return asSpaceError(async () => {
      checkPath(path);
      await this.#pace();
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
      for (const { lease } of open) if (lease !== null) await this.#deps.leases.free(lease);
      if (freed !== null) await this.#release(freed);
    });
  }

  rename(from: string, to: string, overwrite: boolean): Promise<void> {
    return asSpaceError(async () => {
      await this.#pace();
      for (const path of [from, to]) {
        checkPath(path);
        requireWritable(path);
        if (isFixed(path)) throw new SpaceError('unsupported', `${path} can't be renamed`);
      }
      const at = this.#deps.now();
      checkPathLimits(to, limitsOf(this.#org, this.#deps.settings));
      const isTargetOpen = from !== to && this.#openAt(to).length > 0;
      if (isTargetOpen && !overwrite) throw new SpaceError('exists', `${to} is being uploaded in this session`);
      const rename = { from, to, overwrite, isTargetOpen };
      const isMoved = ({ path }: Upload) => path === from || isBelow(path, from);
      const findDrafts = () => new Set([...this.#own].filter(isMoved).map(({ draft }) => draft));
      const findMoved = (drafts: Set<Draft>) =>
        [...this.#deps.open].filter((upload) => drafts.has(upload.draft) && isMoved(upload));
      const nameOf = ({ path }: Upload) => to + path.slice(from.length);
      const moveLeases = async (tx: Queryable) => {
        for (const upload of findMoved(findDrafts()))
          if (upload.lease !== null) await this.#deps.leases.move(tx, upload.lease, nameOf(upload));
      };
      const work: Work<Freed> = async (tx) => {
        await moveLeases(tx);
        return renamePath(tx, this.#org, this.#sender, rename, at);
      };
      let replaced: string | null = null;
      const freed = await this.#deps.commits.run(work).catch(async (error) => {
        if (this.#openAt(from).length === 0 || !isAbsent(error)) throw error;
        const target = await this.#deps.commits.run(async (tx) => {
          await moveLeases(tx);
          return requireFree(tx, this.#org, to, overwrite);
        });
        replaced = target?.blobId ?? null;
        return null;
      });
      const drafts = findDrafts();
      for (const upload of findMoved(drafts)) upload.moveTo(nameOf(upload));
      // Before any CLOSE that arrives after this RENAME.
      if (replaced !== null) await Promise.all([...drafts].map((draft) => draft.replace(replaced!)));
      if (freed !== null) await this.#release(freed);
    });
  }

  async #beginAgain(path: string, options: BeginOptions, lease: WriterLease | null): Promise<Upload> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#begin(path, options, lease);
      } catch (error) {
        // The version that was to be read is gone, because a newer one took its place.
        if (!(error instanceof Overtaken) || attempt >= mostAttempts) throw error;
      }
    }
  }

  async #begin(path: string, options: BeginOptions, lease: WriterLease | null): Promise<Upload> {
    const own = this.#openAt(path).at(-1) ?? null;
    const state = await this.#checkTarget(path, options, own !== null);
    const isNew = state.existing === null && own === null;
    const shared = isSeparate(options) ? null : this.#findShared(path, state, own);
    // It must not end before this upload has joined it.
    shared?.addReader();
    try {
      const resumed = options.truncate || shared !== null ? null : state.partial;
      // An interrupted upload counts as a file: one that takes its place is none more.
      const isMore = isNew && state.partial === null;
      const claim = await this.#deps.quota.claim(this.#org, isMore, resumed?.size ?? 0);
      try {
        if (isNew) checkPathLimits(path, claim.limits);
        return await this.#beginUpload(path, { state, options, claim, resumed, shared, own, lease });
      } catch (error) {
        claim.release(0);
        throw error;
      }
    } finally {
      if (shared !== null) await shared.exclusive(() => shared.removeReader());
    }
  }

  async #beginUpload(path: string, begun: Begun): Promise<Upload> {
    const { state, options, claim, resumed, shared, own, lease } = begun;
    const { settings, now, open } = this.#deps;
    const begunAt = now();
    const keeps = settings.keepPartialHours > 0 && shared === null;
    const subject = { path, begunAt, lastUpload: state.lastUpload, basedOn: resumed?.id ?? null, keeps };
    const resumeRecord = new ResumeRecord(this.#resumeContext(), subject);
    const { draft, member } =
      shared === null
        ? await this.#beginDraft(begun, resumeRecord)
        : await this.#joinDraft(shared, begun, resumeRecord);
    const upload = new OpenUpload(this.#context, {
      ...{ path, draft, member, claim, resumeRecord, begunAt, lease },
      append: options.append,
    });
    // As open(2) does: the attributes of an OPEN hold for a file that it creates. sshfs appends with mode 0000.
    const before = state.existing ?? state.partial ?? state.archived ?? own?.entry() ?? null;
    if (shared === null) upload.setAttributes(before === null ? options.attributes : { mode: before.mode });
    open.add(upload);
    this.#own.add(upload);
    return upload;
  }

  #openAt(path: string): OpenUpload[] {
    return [...this.#own].filter((upload) => upload.path === path && !upload.isRemoved);
  }

  async #checkTarget(path: string, options: BeginOptions, isOpen: boolean): Promise<PathState> {
    if (isFixed(path)) throw new SpaceError('is_a_folder', `${path} is a folder`);
    const db = this.#deps.control.read;
    const place = await findOpenPlace(db, this.#org.id, path);
    const { recipient, lastUpload } = place ?? (await findBeginning(db, this.#org.id));
    const existing = place?.hasEntry === false ? null : await findEntry(db, this.#org.id, path);
    if (existing?.kind === 'dir') throw new SpaceError('is_a_folder', `${path} is a folder`);
    const resume = options.resume === true;
    const looks = (existing === null || resume) && options.anew !== true && place?.hasPartial !== false;
    const partial = looks ? await findOwnPartial(this.#deps, this.#org.id, path) : null;
    if (resume && partial === null) throw new SpaceError('not_found', `no upload of ${path} was cut off here`);
    const exists = existing !== null || partial !== null || isOpen;
    if (exists && options.exclusive) throw new SpaceError('exists', `${path} exists`);
    if (existing !== null) return { existing, partial, archived: null, recipient, lastUpload };
    // A client that does not ask for a new file has seen the one that an import has just taken.
    const archived = exists || options.create ? null : await findJustArchived(this.#deps, this.#org.id, path);
    if (!exists && archived === null && !options.create) throw new SpaceError('not_found', `${path} does not exist`);
    const { dir } = splitPath(path);
    const kind = place !== null || dir === '/' ? place?.folderKind : (await findEntry(db, this.#org.id, dir))?.kind;
    if (kind === 'file') throw new SpaceError('not_a_folder', `${dir} is a file`);
    if (kind !== 'dir' && !isFixed(dir)) throw new SpaceError('not_found', `${dir} does not exist`);
    return { existing, partial, archived, recipient, lastUpload };
  }

  /** The draft that a writer without truncation shares: that of its own session, else that of all. null: none. */
  #findShared(path: string, { existing }: PathState, own: OpenUpload | null): Draft | null {
    if (own?.draft.isShareable) return own.draft;
    const others = [...this.#deps.open].filter(
      (upload) => upload.org === this.#org.id && upload.path === path && !upload.isRemoved,
    );
    const published = existing?.blobId ?? null;
    return others.findLast(({ draft }) => draft.isShareable && draft.isOf(published))?.draft ?? null;
  }

  async #beginDraft({ state, options, claim }: Begun, record: ResumeRecord): Promise<Joined> {
    const { limits } = claim;
    const { existing, partial } = state;
    const published = { blobId: existing?.blobId ?? null, size: existing?.size ?? 0, reader: null };
    const found = options.truncate ? null : await this.#openBase(state);
    // Another writer sends the whole file, perhaps (scp): its first write shows that it does not.
    if (options.append && found?.reader === null)
      throw new SpaceError('keyless', 'this server holds no key that opens the existing version');
    const [forContent, forDraft] = found?.reader ? lend(found.reader, 2) : [null, null];
    let base: Base = published;
    if (partial !== null) await forDraft?.close();
    else if (found !== null) base = { ...published, size: found.size, reader: forDraft! };
    try {
      const under = found === null ? null : { size: found.size, reader: forContent! };
      const create = this.#creator(state.recipient);
      const content = await Content.begin(create, under, this.#contentLimits(limits, record));
      const draft = new Draft(this.#draftContext(limits), base, isSeparate(options));
      const member = draft.join(content, true, published.blobId, () => record.forsake());
      if (found !== null && partial !== null) draft.adopt(member, found.size);
      return { draft, member };
    } catch (error) {
      await forContent?.close();
      await forDraft?.close();
      throw error;
    }
  }

  async #joinDraft(draft: Draft, { state, claim }: Begun, record: ResumeRecord): Promise<Joined> {
    const content = await Content.begin(() => this.#createBlob(), null, this.#contentLimits(claim.limits, record));
    const knew = state.existing?.blobId ?? null;
    return { draft, member: draft.join(content, false, knew, () => record.forsake()) };
  }

  /** A writer's bytes may be more than the file is long: an upload checks the file's size itself. */
  #contentLimits({ maxFileBytes }: Limits, record: ResumeRecord) {
    return {
      reclaim: (blobId: string) => record.reclaim(blobId),
      maxFileBytes: 4 * maxFileBytes,
      uploadWindowBytes: this.#deps.settings.uploadWindowBytes,
      memory: this.memory,
    };
  }

  /** Creates blobs: the first one for a recipient that was just looked up. */
  #creator(recipient: string | null): () => Promise<BlobWriter> {
    let next = recipient;
    return () => {
      const known = next;
      next = null;
      return this.#createBlob(known);
    };
  }

  async #createBlob(known: string | null = null): Promise<BlobWriter> {
    const { control, paths, disk, nextSubfolder, sealingThreads, unsynced } = this.#deps;
    const recipient = known ?? (await findRecipient(control.read, this.#org.id));
    const unsyncedBytes = unsynced?.mostBytes ?? 0;
    return createBlob(paths, recipient, { disk, sealingThreads, subfolder: nextSubfolder(), unsyncedBytes });
  }

  #draftContext({ maxFileBytes }: Limits): DraftContext {
    const { control, paths, disk, open } = this.#deps;
    const org = this.#org.id;
    const findPublished = async (path: string) => {
      const entry = await findEntry(control.read, org, path);
      return entry?.kind === 'file' ? { blobId: entry.blobId!, size: entry.size } : null;
    };
    return {
      memory: this.memory,
      checkSize(size) {
        if (size > maxFileBytes)
          throw new SpaceError('too_large', `a file of ${size} bytes; ${maxFileBytes} are allowed`);
      },
      create: () => this.#createBlob(),
      findPublished,
      openPublished: (blobId) => this.#openPublished(blobId),
      openSealed: (blob, secret) => openOwnBlob(paths, blob, secret, disk),
      announce(path: string, version: SealedVersion) {
        for (const upload of open) if (upload.org === org && upload.path === path) upload.draft.noteAnnounced(version);
      },
      warn: this.#context.warn,
    };
  }

  async #openBase({
    existing,
    partial,
    archived,
  }: PathState): Promise<{ size: number; reader: VersionReader | null } | null> {
    if (partial !== null) return { size: partial.size, reader: await openPartial(this.#deps, partial) };
    const entry = existing ?? archived;
    if (entry === null || entry.size === 0) return null;
    return { size: entry.size, reader: await this.#openPublished(entry.blobId!) };
  }

  /** null: this server holds no key that opens it. @throws Overtaken when it is gone, as SpaceError otherwise */
  async #openPublished(blobId: string): Promise<VersionReader | null> {
    const { paths, disk, control } = this.#deps;
    try {
      return await openBlobOf(paths, blobId, () => this.#deps.identity(this.#org), { disk });
    } catch (error) {
      if (error instanceof KeyError) {
        this.#deps.leases.noteWithoutKey();
        return null;
      }
      if (await isBlobLive(control.read, blobId)) throw error;
      throw new Overtaken(`blob ${blobId} was replaced meanwhile`, { cause: error });
    }
  }

  /** Waits where the organization causes more audit records than it may. */
  async #pace(): Promise<void> {
    const waitMs = this.#deps.control.auditRate?.waitMs(this.#org.id) ?? 0;
    if (waitMs > 0) await sleep(waitMs, undefined, { ref: false });
  }

  async #publish(closed: ClosedUpload): Promise<Receipt> {
    const upload = { ...closed, boot: this.#deps.unsynced?.boot ?? null };
    await this.#pace();
    const { commits, control, paths, disk, logger, unsynced } = this.#deps;
    const bytesInRow = upload.blob.unsynced?.length ?? null;
    const published = await sealAndCommit({
      ...{ paths, disk, logger },
      isNamed: async (id) => (await isInControl(control)(id)) || !(await upload.reclaim(id)),
      seal: (keep) => keep(upload.blob),
      commit: () => commits.run((tx) => publishUpload(tx, upload)).catch((error) => this.#publishAgain(upload, error)),
    }).finally(() => {
      // Also after an error: the row may be there.
      if (bytesInRow !== null) unsynced?.note(upload.blob.id, bytesInRow);
    });
    this.#deps.onStep?.('committed');
    const { path, size: bytes, sha256, queued } = published.receipt;
    this.#deps.laterLog.info('upload closed', {
      org: this.#org.id,
      path,
      bytes,
      sha256,
      ms: upload.closedAt - upload.begunAt,
      upload: published.receipt.uploadId,
      queued,
    });
    tellSpan(() => ({
      ...{ name: 'upload', kind: 'server', context: newContext() },
      ...{ startMs: upload.begunAt, endMs: upload.closedAt },
      attributes: {
        'dropslot.org': this.#org.id,
        'dropslot.upload': published.receipt.uploadId,
        'dropslot.bytes': bytes,
        'dropslot.queued': queued,
      },
    }));
    await this.#release(published.freed);
    return published.receipt;
  }

  /**
   * Where the connection was lost, asks again for some seconds. If it ended before the answer to a COMMIT, the file may have been published:
   * its client must not be told a failure of a file that is imported, and its blob remains, whatever the next answer is.
   */
  async #publishAgain(upload: ClosedUpload, error: unknown): Promise<Published> {
    let last = error;
    let unanswered = isAnswerLost(error) ? error : null;
    for (const pauseMs of retryPausesMs) {
      if (!isConnectionLost(last)) break;
      await sleep(pauseMs);
      try {
        return await this.#deps.commits.run((tx) => publishOnce(tx, upload));
      } catch (again) {
        last = again;
        if (isAnswerLost(again)) unanswered = again;
      }
    }
    // Another version at its path, which this transaction had locked: a COMMIT before it has not taken place.
    throw last instanceof Overtaken ? last : (unanswered ?? last);
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
    lease,
    knew,
  }: UnpublishedUpload): Promise<void> {
    try {
      const keep = keptBytes > 0 ? await resumeRecord.keep(content.remains, attributes, keptBytes) : null;
      const noted = await resumeRecord.settle();
      const at = this.#deps.now();
      const detail = { size, keptBytes, ms: at - begunAt };
      const record: Work<string[]> = async (tx) => {
        const forgotten = keep === null ? [] : await keep(tx);
        if (keep === null && noted !== null) await deleteOpenPartial(tx, noted);
        await freeWriterLease(tx, lease);
        const outcome = failure !== null ? 'failed' : keptBytes > 0 ? 'partial' : 'aborted';
        const reason = failure === null ? {} : { reason: failure.code };
        const published = failure?.code === 'keyless' ? await findEntry(tx, this.#org.id, path) : null;
        if (published !== null && published.blobId !== knew) Object.assign(reason, { overtakenBy: published.uploadId });
        await audit(tx, this.#org, this.#sender, at, `upload.${outcome}`, path, { outcome, ...detail, ...reason });
        return forgotten;
      };
      const partials = await (keep === null ? this.#deps.commits.run(record) : this.#deps.commits.runAlone(record));
      await this.#release({ blob: null, partials });
    } catch (cause) {
      this.#context.warn('could not record the end of an unpublished upload; it is missing in the audit trail', cause);
    }
  }

  #resumeContext() {
    const { commits, control, paths, now, process } = this.#deps;
    const nodeKey = () => loadOrCreatePartialKey({ control, paths });
    const renew = paths.store === undefined ? null : (id: string) => renewPartial(control.write, id);
    return { org: this.#org, commits, now, nodeKey, renew, process, warn: this.#context.warn };
  }

  /** Removes bytes to which no row refers. The request has succeeded already: a failure is only logged. */
  async #release({ blob, partials }: Freed): Promise<void> {
    const { control, paths, disk } = this.#deps;
    try {
      if (blob !== null && !(await isBlobLive(control.read, blob))) await removeBlob(paths, blob, disk);
      await removePartials({ control, paths, disk }, partials);
    } catch (cause) {
      this.#context.warn(
        'could not remove the bytes of a removed file; retention or the next start will remove them',
        cause,
      );
    }
  }
}

/** Whether an upload of these options has nothing of the version that is published at its path. */
function isSeparate({ truncate, resume }: BeginOptions): boolean {
  return truncate || resume === true;
}

/** No complete file has the name. */
function isAbsent(error: unknown): boolean {
  return error instanceof SpaceError && (error.code === 'not_found' || error.code === 'incomplete');
}
