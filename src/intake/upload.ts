/** One open upload, from its OPEN to its CLOSE: takes the client's calls, and publishes what it holds at the end. */
import type { Org } from '../db/control/orgs.js';
import { asSpaceError, toSpaceError } from '../storage/failure.js';
import { splitPath } from '../storage/path.js';
import { type Attributes, type Entry, SpaceError } from '../storage/types.js';
import type { SealedBlob, SealStep } from '../storage/writer.js';
import type { Content } from './content.js';
import type { ClosedUpload } from './publish.js';
import type { Receipt, Sender, Upload } from './types.js';

/** What an upload needs of the intake. */
export interface UploadPlace {
  org: Org;
  sender: Sender;
  now: () => number;
  /** Commits it; when that fails, what was sealed is gone. */
  publish(upload: ClosedUpload): Promise<Receipt>;
  onStep(step: SealStep): void;
  /** Called once, when the upload ended in any way. */
  onEnd(upload: Upload): void;
  /** For what `abort` must not throw. */
  warn(message: string, cause: unknown): void;
}

export class OpenUpload implements Upload {
  readonly path: string;
  readonly #place: UploadPlace;
  readonly #content: Content;
  readonly #isAppending: boolean;
  readonly #begunAt: number;
  #attributes: Partial<Attributes> = {};
  #hasEnded = false;
  /** Why nothing of it may be published any more: a call that failed left it in an unknown state. */
  #failure: SpaceError | null = null;
  /** The call under way: an abort from outside waits for it. */
  #call: Promise<unknown> = Promise.resolve();

  constructor(
    place: UploadPlace,
    path: string,
    content: Content,
    options: { append: boolean; attributes: Partial<Attributes> },
  ) {
    this.#place = place;
    this.path = path;
    this.#content = content;
    this.#isAppending = options.append;
    this.setAttributes(options.attributes);
    this.#begunAt = place.now();
  }

  entry(): Entry {
    const { name } = splitPath(this.path);
    const { size } = this.#content;
    return { path: this.path, name, kind: 'file', size, ...this.#shownAttributes(), writable: true };
  }

  write(offset: number, bytes: Buffer): Promise<void> {
    return this.#change(() => this.#content.write(this.#isAppending ? this.#content.size : offset, bytes));
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#run(() => this.#content.read(offset, length));
  }

  setSize(size: number): Promise<void> {
    return this.#change(() => this.#content.setSize(size));
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
      try {
        const blob = await this.#seal();
        return await this.#place.publish(this.#close(blob));
      } finally {
        this.#place.onEnd(this);
      }
    });
  }

  async abort(): Promise<void> {
    await this.#call.catch(() => {});
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    await this.#discard();
    this.#place.onEnd(this);
  }

  #close(blob: SealedBlob): ClosedUpload {
    const { org, sender, now } = this.#place;
    const times = { begunAt: this.#begunAt, closedAt: now() };
    return { org, sender, path: this.path, blob, attributes: this.#shownAttributes(), ...times };
  }

  async #seal(): Promise<SealedBlob> {
    try {
      if (this.#failure !== null) throw this.#failure;
      return await this.#content.finish(this.#place.onStep);
    } catch (error) {
      await this.#discard();
      throw error;
    }
  }

  async #discard(): Promise<void> {
    await this.#content.discard().catch((cause) => this.#place.warn('a partial file could not be removed', cause));
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
    const now = this.#place.now();
    const { mode = 0o644, mtimeMs = now, atimeMs = now } = this.#attributes;
    return { mode: mode & 0o777, mtimeMs, atimeMs };
  }
}
