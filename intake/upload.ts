/** Owns one open upload, from its OPEN to its CLOSE: accepts the client's calls, and publishes the content at the end. */
import type { Org } from '../db/control/orgs.js';
import { asSpaceError, toSpaceError } from '../storage/failure.js';
import { splitPath } from '../storage/path.js';
import type { Claim } from '../storage/quota.js';
import type { SealedBlob, SealStep } from '../storage/sealedwriter.js';
import { type Attributes, type Entry, SpaceError } from '../storage/types.js';
import type { Content } from './content.js';
import type { ClosedUpload } from './publish.js';
import type { ResumeRecord } from './resume.js';
import type { Receipt, Sender, Upload } from './types.js';

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
  onEnd(upload: Upload): void;
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
}

interface UploadParts {
  path: string;
  content: Content;
  claim: Claim;
  resumeRecord: ResumeRecord;
  begunAt: number;
  append: boolean;
  attributes: Partial<Attributes>;
}

export class OpenUpload implements Upload {
  readonly #context: UploadContext;
  readonly #content: Content;
  readonly #claim: Claim;
  readonly #resumeRecord: ResumeRecord;
  readonly #isAppending: boolean;
  readonly #begunAt: number;
  #path: string;
  #isRemoved = false;
  #attributes: Partial<Attributes> = {};
  #hasEnded = false;
  /** Why it may no longer be published: a call that failed left it in an unknown state. */
  #failure: SpaceError | null = null;
  /** The call under way: an abort from outside waits for it. */
  #call: Promise<unknown> = Promise.resolve();

  constructor(
    context: UploadContext,
    { path, content, claim, resumeRecord, begunAt, append, attributes }: UploadParts,
  ) {
    this.#context = context;
    this.#path = path;
    this.#content = content;
    this.#claim = claim;
    this.#resumeRecord = resumeRecord;
    this.#isAppending = append;
    this.setAttributes(attributes);
    this.#begunAt = begunAt;
  }

  get path(): string {
    return this.#path;
  }

  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Its sender has renamed it. */
  moveTo(path: string): void {
    this.#path = path;
    this.#resumeRecord.moveTo(path);
  }

  /** Its sender has removed its path: no partial will be kept. */
  remove(): void {
    this.#isRemoved = true;
  }

  entry(): Entry {
    const { name } = splitPath(this.path);
    const { size } = this.#content;
    return { path: this.path, name, kind: 'file', size, ...this.#shownAttributes(), writable: true };
  }

  write(offset: number, bytes: Buffer): Promise<void> {
    return this.#change(async () => {
      if (bytes.length === 0) return;
      const from = this.#isAppending ? this.#content.size : offset;
      await this.#grow(from + bytes.length);
      await this.#content.write(from, bytes);
      this.#resumeRecord.note(this.#content.remains, this.#shownAttributes());
    });
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#run(async () => {
      // After a failed call the content is not known.
      if (this.#failure !== null) throw this.#failure;
      return this.#content.read(offset, length);
    });
  }

  setSize(size: number): Promise<void> {
    return this.#change(async () => {
      await this.#grow(size);
      await this.#content.setSize(size);
    });
  }

  setAttributes(attributes: Partial<Attributes>): void {
    const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
    this.#attributes = { ...this.#attributes, ...Object.fromEntries(given) };
  }

  sync(): Promise<void> {
    return this.#run(() => this.#content.sync());
  }

  finish(): Promise<Receipt> {
    return this.#run(async () => {
      this.#hasEnded = true;
      let storedBytes = 0;
      try {
        const blob = await this.#seal();
        const receipt = await this.#context.publish(await this.#close(blob));
        storedBytes = blob.size;
        return receipt;
      } catch (error) {
        await this.#context.onUnpublished({ ...this.#describeUnpublished(0), failure: toSpaceError(error) });
        throw error;
      } finally {
        this.#claim.release(storedBytes);
        this.#context.onEnd(this);
      }
    });
  }

  async abort(): Promise<void> {
    await this.#call.catch(() => {});
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const keptBytes = await this.#park();
    await this.#context.onUnpublished(this.#describeUnpublished(keptBytes));
    this.#claim.release(keptBytes);
    this.#context.onEnd(this);
  }

  /** Checks the size first: a refused write must not be charged to the quota. */
  #grow(size: number): Promise<void> | null {
    this.#content.checkSize(size);
    return this.#claim.grow(size);
  }

  async #close(blob: SealedBlob): Promise<ClosedUpload> {
    const { org, sender, now } = this.#context;
    const noted = await this.#resumeRecord.settle();
    const times = { begunAt: this.#begunAt, closedAt: now() };
    return { org, sender, path: this.path, blob, attributes: this.#shownAttributes(), noted, ...times };
  }

  async #seal(): Promise<SealedBlob> {
    try {
      if (this.#failure !== null) throw this.#failure;
      return await this.#content.finish(this.#context.onStep);
    } catch (error) {
      await this.#discard();
      throw error;
    }
  }

  /** Keeps a partial, but not after a failure: the content is not known then. */
  async #park(): Promise<number> {
    if (this.#failure === null && this.#resumeRecord.keeps && !this.#isRemoved) {
      try {
        return await this.#content.park();
      } catch (cause) {
        this.#context.warn('could not keep the partial of an upload that was cut off; it must be sent again', cause);
      }
    }
    await this.#discard();
    return 0;
  }

  #describeUnpublished(keptBytes: number): UnpublishedUpload {
    const [content, resumeRecord, begunAt] = [this.#content, this.#resumeRecord, this.#begunAt];
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
    };
  }

  async #discard(): Promise<void> {
    await this.#content
      .discard()
      .catch((cause) => this.#context.warn('could not remove a partial file; the next start will remove it', cause));
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
    const call = asSpaceError(async () => {
      if (this.#hasEnded) throw new SpaceError('failed', `the upload of ${this.path} has ended`);
      return await work();
    });
    this.#call = call;
    return call;
  }

  #shownAttributes(): Attributes {
    const now = this.#context.now();
    const { mode = 0o644, mtimeMs = now, atimeMs = now } = this.#attributes;
    return { mode: mode & 0o777, mtimeMs, atimeMs };
  }
}
