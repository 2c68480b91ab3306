/** Owns one open upload, from its OPEN to its CLOSE: accepts the client's calls, and publishes its draft at the end. */
import type { Org } from '../db/control/orgs.js';
import { asSpaceError, toSpaceError } from '../storage/failure.js';
import { splitPath } from '../storage/path.js';
import type { Claim } from '../storage/quota.js';
import type { SealStep } from '../storage/sealedwriter.js';
import { type Attributes, type Entry, type Reader, SpaceError } from '../storage/types.js';
import type { Content } from './content.js';
import { type Draft, type DraftVersion, endContent, type Member } from './draft.js';
import type { ClosedUpload } from './publish.js';
import type { ResumeRecord } from './resume.js';
import type { Receipt, Sender, Upload } from './types.js';
import type { WriterLease } from './writerleases.js';

/** The intake's services for an upload. */
export interface UploadContext {
  org: Org;
  sender: Sender;
  now: () => number;
  /** Commits it; when that fails, the sealed blob is removed. */
  publish(upload: ClosedUpload): Promise<Receipt>;
  onStep(step: SealStep): void;
  /** Called once, when an upload ended without being published; its failures are only logged. */
  onUnpublished(upload: UnpublishedUpload): Promise<void>;
  /** Called once, when the upload ended in any way. */
  onEnd(upload: OpenUpload): void;
  /** Logs a failure that `abort` must not throw. */
  warn(message: string, cause: unknown): void;
}

export interface UnpublishedUpload {
  path: string;
  begunAt: number;
  /** Plaintext bytes received. */
  size: number;
  /** null: the connection died, or the client gave up. */
  failure: SpaceError | null;
  /** Plaintext bytes that another upload can resume from. */
  keptBytes: number;
  resumeRecord: ResumeRecord;
  content: Content;
  attributes: Attributes;
  lease: WriterLease | null;
  /** The version that was published at its OPEN. */
  knew: string | null;
}

interface UploadParts {
  path: string;
  draft: Draft;
  member: Member;
  claim: Claim;
  resumeRecord: ResumeRecord;
  begunAt: number;
  append: boolean;
  lease: WriterLease | null;
}

export class OpenUpload implements Upload {
  readonly #context: UploadContext;
  readonly draft: Draft;
  /** null: its OPEN truncated. */
  readonly lease: WriterLease | null;
  readonly #member: Member;
  readonly #claim: Claim;
  readonly #resumeRecord: ResumeRecord;
  readonly #isAppending: boolean;
  readonly #begunAt: number;
  #path: string;
  #isRemoved = false;
  /** Plaintext bytes that it published. */
  #publishedBytes: number | null = null;
  #hasEnded = false;
  /** Why it may no longer be published: a call that failed left it in an unknown state. */
  #failure: SpaceError | null = null;
  /** false: the server has ended the session. */
  #isWanted: () => boolean = () => true;
  /** The call under way: an abort from outside waits for it. */
  #call: Promise<unknown> = Promise.resolve();

  constructor(context: UploadContext, parts: UploadParts) {
    const { path, draft, member, claim, resumeRecord, begunAt, append, lease } = parts;
    this.#context = context;
    this.#path = path;
    this.draft = draft;
    this.lease = lease;
    this.#member = member;
    this.#claim = claim;
    this.#resumeRecord = resumeRecord;
    this.#isAppending = append;
    this.#begunAt = begunAt;
  }

  get org(): string {
    return this.#context.org.id;
  }

  get path(): string {
    return this.#path;
  }

  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Its sender, or one that shares its draft, has renamed it. */
  moveTo(path: string): void {
    this.#path = path;
    if (this.lease !== null) this.lease.path = path;
    this.#resumeRecord.moveTo(path);
  }

  /** Its sender has removed its path: no partial will be kept. */
  remove(): void {
    this.#isRemoved = true;
  }

  entry(): Entry {
    const { name } = splitPath(this.path);
    const size = this.#publishedBytes ?? this.draft.size;
    return { path: this.path, name, kind: 'file', size, ...this.#shownAttributes(), writable: true };
  }

  write(offset: number, bytes: Buffer): Promise<void> {
    return this.#change(async () => {
      if (bytes.length === 0) return;
      const { content, isPlain } = this.#member;
      const end = (this.#isAppending ? this.draft.size : offset) + bytes.length;
      await this.#grow(end, isPlain ? end : content.size + bytes.length);
      await this.draft.write(this.#member, this.#isAppending ? null : offset, bytes);
      if (this.#member.isPlain) this.#resumeRecord.note(content.remains, this.#shownAttributes());
    });
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#run(async () => {
      // After a failed call the content is not known.
      if (this.#failure !== null) throw this.#failure;
      return this.draft.read(offset, length);
    });
  }

  openView(): Reader {
    const { draft } = this;
    draft.addReader();
    const shown = () => ({ ...this.entry(), size: draft.size });
    return {
      get entry() {
        return shown();
      },
      read: (offset, length) => asSpaceError(() => draft.exclusive(() => draft.read(offset, length))),
      checksum: async () => null,
      close: () => draft.exclusive(() => draft.removeReader()),
    };
  }

  setSize(size: number): Promise<void> {
    return this.#change(async () => {
      await this.#grow(size, size);
      await this.draft.setSize(this.#member, size);
    });
  }

  setAttributes(attributes: Partial<Attributes>): void {
    const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
    this.draft.attributes = { ...this.draft.attributes, ...Object.fromEntries(given) };
  }

  /** After a sync that failed the system may have dropped the bytes, and the next sync would succeed: the file must be sent anew. */
  sync(): Promise<void> {
    return this.#change(() => this.#member.content.sync());
  }

  finish(isWanted: () => boolean = () => true, onCommit?: ClosedUpload['onCommit']): Promise<Receipt> {
    this.#isWanted = isWanted;
    return this.#run(async () => {
      this.#hasEnded = true;
      let storedBytes = 0;
      try {
        if (this.#failure !== null) throw this.#failure;
        await this.#grow(this.draft.size, this.draft.size);
        const { onStep, publish } = this.#context;
        const { result, blob } = await this.draft.publish(this.#member, this.path, onStep, async (version) =>
          publish({ ...(await this.#close(version)), ...(onCommit && { onCommit }) }),
        );
        storedBytes = this.#publishedBytes = blob.size;
        return result;
      } catch (error) {
        await this.#leave();
        await this.#context.onUnpublished({ ...this.#describeUnpublished(0), failure: toSpaceError(error) });
        throw error;
      } finally {
        this.#claim.release(storedBytes);
        this.#context.onEnd(this);
      }
    });
  }

  abort(): Promise<void> {
    return this.#endUnpublished(false);
  }

  discard(): Promise<void> {
    this.remove();
    return this.#endUnpublished(false);
  }

  pause(): Promise<void> {
    return this.#endUnpublished(true);
  }

  async #endUnpublished(keepsLast: boolean): Promise<void> {
    await this.#call.catch(() => {});
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const keptBytes = await this.draft.exclusive(() => this.#park(keepsLast));
    await this.#context.onUnpublished(this.#describeUnpublished(keptBytes));
    this.#claim.release(keptBytes);
    this.#context.onEnd(this);
  }

  /** Checks the size first: a refused write must not be charged to the quota. */
  #grow(size: number, ownBytes: number): Promise<void> | null {
    const { maxFileBytes } = this.#claim.limits;
    if (size > maxFileBytes) throw new SpaceError('too_large', `a file of ${size} bytes; ${maxFileBytes} are allowed`);
    return this.#claim.grow(ownBytes);
  }

  async #close(version: DraftVersion): Promise<ClosedUpload> {
    const { org, sender, now } = this.#context;
    const noted = await this.#resumeRecord.settle();
    const times = { begunAt: this.#begunAt, closedAt: now() };
    const isWanted = () => this.#isWanted();
    const { isLeased } = this.#resumeRecord;
    return {
      org,
      sender,
      path: this.path,
      ...version,
      attributes: this.#shownAttributes(),
      noted,
      isLeased,
      reclaim: (blobId) => this.#resumeRecord.reclaim(blobId),
      ...times,
      isWanted,
      lease: this.lease,
    };
  }

  /** Keeps a partial, but not after a failure, nor of changes over those of others: the content is not known then. */
  async #park(keepsLast: boolean): Promise<number> {
    const { isPlain, content } = this.#member;
    if (this.#failure === null && this.#resumeRecord.keeps && !this.#isRemoved && isPlain) {
      try {
        const keptBytes = await content.park(keepsLast);
        await this.draft.leave(this.#member);
        return keptBytes;
      } catch (cause) {
        this.#context.warn('could not keep the partial of an upload that was cut off; it must be sent again', cause);
      }
    }
    await this.#leave();
    return 0;
  }

  #describeUnpublished(keptBytes: number): UnpublishedUpload {
    const [{ content }, resumeRecord, begunAt] = [this.#member, this.#resumeRecord, this.#begunAt];
    const { path, size } = { path: this.path, size: content.size };
    return {
      path,
      begunAt,
      size,
      failure: this.#failure,
      keptBytes,
      resumeRecord,
      content,
      attributes: this.#shownAttributes(),
      lease: this.lease,
      knew: this.#member.knew,
    };
  }

  /** Takes its changes out of the draft, and its bytes from the disk. */
  async #leave(): Promise<void> {
    await this.draft.leave(this.#member);
    await endContent(this.#member).catch((cause) =>
      this.#context.warn('could not remove a partial file; the next start will remove it', cause),
    );
  }

  /** A write that failed poisons the upload: a file with a hole in it must not be imported. */
  async #change(work: () => Promise<void>): Promise<void> {
    try {
      await this.#run(work);
    } catch (error) {
      this.#failure ??= toSpaceError(error);
      throw error;
    }
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    const call = asSpaceError(() =>
      this.draft.exclusive(async () => {
        if (this.#hasEnded) throw new SpaceError('failed', `the upload of ${this.path} has ended`);
        return await work();
      }),
    );
    this.#call = call;
    return call;
  }

  #shownAttributes(): Attributes {
    const now = this.#context.now();
    const { mode = 0o644, mtimeMs = now, atimeMs = now } = this.draft.attributes;
    return { mode: mode & 0o777, mtimeMs, atimeMs };
  }
}
