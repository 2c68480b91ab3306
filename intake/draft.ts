/**
 * Owns the content that the writers of one file share: an OPEN with truncation begins a draft of its own, and other writers
 * of the path join one. Each writer keeps its own bytes. A CLOSE publishes the changes of the closed writers in their order,
 * on top of the version that is published then; a writer that is cut off takes its changes with it.
 */
import type { BlobWriter, SealedBlob, SealStep } from '../storage/sealedwriter.js';
import { type Attributes, SpaceError } from '../storage/types.js';
import { busy, type Content, copyMemoryBytes, lendMemory, type VersionReader } from './content.js';
import { Layers, type Piece, sizeOf, slicePieces } from './layers.js';
import type { MemoryShare } from './memory.js';

/** The version below the changes. */
export interface Base {
  /** null: nothing is published there, or it is no version that is. */
  blobId: string | null;
  /** Plaintext bytes. */
  size: number;
  /** null: no key that opens it, or it is opened when it is needed. */
  reader: VersionReader | null;
}

/** A version to publish. */
export interface DraftVersion {
  blob: SealedBlob;
  /** The published version that it was made from: with another one there, the commit must throw Overtaken. undefined: any. */
  onTopOf?: string | null;
  /** The published version that its writer knew: with another one there, it replaces a newer one. */
  knows: string | null;
}

/** Another version was published meanwhile: the CLOSE begins again, on top of that one. */
export class Overtaken extends Error {
  override name = 'Overtaken';
}

export interface DraftContext {
  /** The account of the session that began it. */
  memory: MemoryShare;
  /** @throws SpaceError `too_large` */
  checkSize(size: number): void;
  /** Begins a blob. */
  create(): Promise<BlobWriter>;
  /** The version that is published at a path now; null: none. */
  findPublished(path: string): Promise<{ blobId: string; size: number } | null>;
  /** Opens a published version; null: no key opens it. */
  openPublished(blobId: string): Promise<VersionReader | null>;
  /** Opens a version that this process has just sealed. */
  openSealed(blob: SealedBlob, secret: SealedVersion['secret']): Promise<VersionReader>;
  /** Tells the other drafts of the path: they can open it without the organization's key. */
  announce(path: string, version: SealedVersion): void;
  /** Logs a failure that no request gets. */
  warn(message: string, cause: unknown): void;
}

export interface SealedVersion {
  blob: SealedBlob;
  secret: { payloadKey: Buffer; headerBytes: number };
}

/** One writer's part of a draft. */
export interface Member {
  readonly content: Content;
  /** The content is the base with this writer's changes; false: it only keeps the writer's bytes. */
  isPlain: boolean;
  isClosed: boolean;
  /** The version that was published at its OPEN. */
  readonly knew: string | null;
  /** The content was sealed as a version. */
  isSealed: boolean;
  /** Reads that version, where its bytes may be needed once more. */
  sealed: VersionReader | null;
  /** Called before the content becomes no more than a store of bytes. */
  readonly onMixed: () => Promise<void>;
}

const copyBytes = 1024 * 1024;
/** Memory of each part of a content. */
const partBytes = 128;
/** Closed writers whose bytes are kept for writers that began before them. */
const mostKept = 32;
/** After each of them another writer has published: of many that close at once, the last one waits for all others. */
const mostAttempts = 200;

export class Draft {
  /** Of the file: every writer shares them. */
  attributes: Partial<Attributes> = {};
  readonly #context: DraftContext;
  readonly #layers = new Layers<Member>();
  readonly #open = new Set<Member>();
  readonly #closed = new Set<Member>();
  #base: Base;
  /** The version that the draft began with, or published last. */
  #last: string | null;
  /** Published by another draft of this process. */
  #announced: SealedVersion | null = null;
  #readers = 0;
  #hasEnded = false;
  /** Began with a truncation that is not closed yet: only its own session joins it. */
  #isSeparate: boolean;
  #built: SealedVersion | null = null;
  #pieces: Piece<Member>[] | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  /** Taken from the account. */
  #chargedBytes = 0;

  constructor(context: DraftContext, base: Base, isSeparate: boolean) {
    this.#context = context;
    this.#base = base;
    this.#last = base.blobId;
    this.#isSeparate = isSeparate;
  }

  /** Whether another writer can share it: the base, as far as it is needed, can be read. */
  get isShareable(): boolean {
    if (this.#hasEnded) return false;
    return this.#isSeparate || this.#base.size === 0 || this.#base.reader !== null;
  }

  /** Whether writers of every session share it, who find `published` at the path. */
  isOf(published: string | null): boolean {
    return !this.#isSeparate && this.#last === published;
  }

  /** It has got the name of a version, and none of its bytes: the draft is not laid over it. */
  replace(published: string): Promise<void> {
    return this.exclusive(async () => {
      this.#last = published;
    });
  }

  /** Tasks on the contents of the draft come one after the other. */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(task);
    this.#turn = result.catch(() => {}); // thrown to its own caller
    return result;
  }

  join(content: Content, isPlain: boolean, knew: string | null, onMixed: () => Promise<void>): Member {
    const member: Member = { content, isPlain, isClosed: false, knew, isSealed: false, sealed: null, onMixed };
    this.#open.add(member);
    if (isPlain && this.#isSeparate) this.#layers.resize(member, 0);
    return member;
  }

  /** The content of a partial counts as written by the upload that resumes it. */
  adopt(member: Member, length: number): void {
    this.#layers.write(member, 0, 0, length);
  }

  /** Plaintext bytes. */
  get size(): number {
    return this.#whole?.content.size ?? sizeOf(this.#view);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const whole = this.#whole;
    if (whole !== null) return whole.content.read(offset, length);
    return Buffer.concat(await this.#readPieces(slicePieces(this.#view, offset, length)));
  }

  /** `offset` null: at the end. */
  async write(member: Member, offset: number | null, bytes: Buffer): Promise<void> {
    const at = offset ?? this.size;
    const isPlain = await this.#keepsPlain(member);
    const own = isPlain ? at : member.content.size;
    await member.content.write(own, bytes);
    this.#layers.write(member, offset, own, bytes.length);
    this.#pieces = null;
    this.#charge();
  }

  async setSize(member: Member, size: number): Promise<void> {
    if (await this.#keepsPlain(member)) await member.content.setSize(size);
    this.#layers.resize(member, size);
    this.#pieces = null;
    this.#charge();
  }

  /** Seals and publishes. After a failure only `leave` is left to call. @throws SpaceError, and the errors of `commit` */
  async publish<T>(
    member: Member,
    path: string,
    onStep: (step: SealStep) => void,
    commit: (version: DraftVersion) => Promise<T>,
  ): Promise<{ result: T; blob: SealedBlob }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#publish(member, path, onStep, commit);
      } catch (error) {
        if (!(error instanceof Overtaken)) throw error;
        if (attempt >= mostAttempts)
          throw new SpaceError('failed', `${path} was published ${attempt} times meanwhile`, { cause: error });
      }
    }
  }

  /** The writer is gone, and its changes with it. Its content is its own to end. */
  async leave(member: Member): Promise<void> {
    if (!this.#open.delete(member)) return;
    this.#layers.drop((writer) => writer === member);
    this.#pieces = null;
    await this.#endIfUnused();
  }

  /** Keeps the content readable until `removeReader`, also after its writers have ended. */
  addReader(): void {
    this.#readers++;
  }

  async removeReader(): Promise<void> {
    this.#readers--;
    await this.#endIfUnused();
  }

  noteAnnounced(version: SealedVersion): void {
    this.#announced = version;
  }

  /** @throws SpaceError `busy` */
  #charge(): void {
    const { memory } = this.#context;
    const more = this.#layers.parts * partBytes - this.#chargedBytes;
    if (more > 0 && !memory.take(more)) throw busy('no memory for one more separate write');
    if (more < 0) memory.release(-more);
    this.#chargedBytes += more;
  }

  /** The one writer whose content is the draft's; null: none is. */
  get #whole(): Member | null {
    for (const member of this.#open) if (member.isPlain && this.#layers.areOnlyOf(member)) return member;
    return null;
  }

  get #view(): Piece<Member>[] {
    this.#pieces ??= this.#layers.compose(this.#base.size, () => true);
    return this.#pieces;
  }

  /** Once others have written, a writer's content only keeps its bytes, one after the other. */
  async #keepsPlain(member: Member): Promise<boolean> {
    if (!this.#layers.areOnlyOf(member)) await this.#mix(member);
    return member.isPlain;
  }

  async #mix(member: Member): Promise<void> {
    if (!member.isPlain) return;
    member.isPlain = false;
    await member.onMixed();
  }

  async #publish<T>(
    member: Member,
    path: string,
    onStep: (step: SealStep) => void,
    commit: (version: DraftVersion) => Promise<T>,
  ): Promise<{ result: T; blob: SealedBlob }> {
    // Nothing that is published matters to a file that was sent whole.
    if (!this.#isSimple(member) || !this.#isSeparate) await this.#moveTo(path);
    const build = () => this.#build(member, onStep);
    const version = this.#isSimple(member)
      ? await this.#seal(member, onStep)
      : await lendMemory(this.#context.memory, copyMemoryBytes, build);
    const result = await commit(version);
    await this.#settle(member, path, version.blob);
    return { result, blob: version.blob };
  }

  /** Whether the writer's content is the version that it publishes. */
  #isSimple(member: Member): boolean {
    return member.isPlain && !member.isSealed && this.#closed.size === 0 && this.#layers.areOnlyOf(member);
  }

  /** Lays the changes over the version that is published now, if it is not the draft's own. */
  async #moveTo(path: string): Promise<void> {
    const published = await this.#context.findPublished(path);
    if (published === null) {
      if (this.#isSeparate) await this.#setBase({ blobId: null, size: 0, reader: null });
      return;
    }
    if (published.blobId === this.#last) {
      // The upload that truncates the file has not needed it, and has not opened it.
      if (this.#base.reader === null && this.#isSeparate && published.blobId === this.#base.blobId)
        await this.#replaceBase(published);
      return;
    }
    this.#layers.drop((writer) => writer.isClosed);
    await this.#discardClosed();
    for (const writer of this.#open) await this.#mix(writer);
    await this.#replaceBase(published);
    this.#last = published.blobId;
  }

  async #replaceBase({ blobId, size }: { blobId: string; size: number }): Promise<void> {
    const announced = this.#announced?.blob.id === blobId ? this.#announced : null;
    const reader =
      announced === null
        ? await this.#context.openPublished(blobId)
        : await this.#context.openSealed(announced.blob, announced.secret);
    await this.#setBase({ blobId, size, reader });
  }

  async #setBase(base: Base): Promise<void> {
    const { reader } = this.#base;
    this.#base = base;
    this.#pieces = null;
    await this.#closeReader(reader);
  }

  async #seal(member: Member, onStep: (step: SealStep) => void): Promise<DraftVersion> {
    const blob = await member.content.finish(onStep);
    member.isSealed = true;
    if (this.#isSeparate) return { blob, knows: member.knew };
    // Should another version come first, its bytes are read from here, without a name.
    member.sealed = await this.#context.openSealed(blob, member.content.remains.secret);
    return { blob, onTopOf: this.#last, knows: this.#last };
  }

  async #build(member: Member, onStep: (step: SealStep) => void): Promise<DraftVersion> {
    const pieces = this.#layers.compose(this.#base.size, (writer) => writer === member || writer.isClosed);
    this.#context.checkSize(sizeOf(pieces));
    const to = await this.#context.create();
    let blob: SealedBlob;
    try {
      for (const piece of pieces)
        for (let done = 0; done < piece.length; done += copyBytes) {
          const part = slicePieces([piece], done, copyBytes);
          for (const bytes of await this.#readPieces(part)) await to.write(bytes);
        }
      blob = await to.finish(onStep);
    } catch (error) {
      await to.discard();
      throw error;
    }
    this.#built = { blob, secret: to.secret };
    const keepsOthers = pieces.some(({ source }) => source === 'base' || (source !== 'zeros' && source.isClosed));
    return { blob, onTopOf: this.#last, knows: keepsOthers ? this.#last : member.knew };
  }

  async #settle(member: Member, path: string, blob: SealedBlob): Promise<void> {
    const secret = this.#built?.blob.id === blob.id ? this.#built.secret : member.content.remains.secret;
    this.#context.announce(path, { blob, secret });
    this.#open.delete(member);
    member.isClosed = true;
    this.#closed.add(member);
    this.#last = blob.id;
    this.#pieces = null;
    if (this.#open.size + this.#readers === 0) return this.#endIfUnused();
    const isBelowOthers = [...this.#open].some((writer) => this.#layers.has(writer));
    if (isBelowOthers && this.#closed.size < mostKept) return;
    try {
      const reader = await this.#context.openSealed(blob, secret);
      await this.#setBase({ blobId: blob.id, size: blob.size, reader });
      if (!isBelowOthers) this.#isSeparate = false;
      this.#layers.drop((writer) => writer.isClosed);
      for (const writer of this.#open) await this.#mix(writer);
      await this.#discardClosed();
    } catch (cause) {
      this.#context.warn('could not reopen a version that was just published; its bytes are kept longer', cause);
    }
  }

  async #readPieces(pieces: Iterable<Piece<Member>>): Promise<Buffer[]> {
    const parts: Buffer[] = [];
    for (const { source, from, length } of pieces) {
      const bytes = source === 'zeros' ? Buffer.alloc(length) : await this.#readSource(source, from, length);
      if (bytes.length < length) throw new SpaceError('damaged', 'a version is shorter than its recorded size');
      parts.push(bytes);
    }
    return parts;
  }

  async #readSource(source: Member | 'base', from: number, length: number): Promise<Buffer> {
    if (source !== 'base')
      return source.sealed === null ? source.content.read(from, length) : source.sealed.read(from, length);
    if (this.#base.reader === null)
      throw new SpaceError('keyless', 'this server holds no key that opens the existing version');
    return this.#base.reader.read(from, length);
  }

  async #endIfUnused(): Promise<void> {
    if (this.#open.size + this.#readers > 0) return;
    this.#hasEnded = true;
    this.#context.memory.release(this.#chargedBytes);
    this.#chargedBytes = 0;
    await this.#discardClosed();
    await this.#closeBase();
  }

  async #discardClosed(): Promise<void> {
    for (const member of [...this.#closed]) {
      this.#closed.delete(member);
      await endContent(member).catch((cause) =>
        this.#context.warn('could not remove the bytes of a closed upload', cause),
      );
    }
  }

  async #closeBase(): Promise<void> {
    const { reader } = this.#base;
    this.#base = { ...this.#base, reader: null };
    await this.#closeReader(reader);
  }

  async #closeReader(reader: VersionReader | null): Promise<void> {
    await reader?.close().catch((cause) => this.#context.warn('could not close a version', cause));
  }
}

/** Ends the content of a writer that has left. */
export async function endContent({ isSealed, sealed, content }: Member): Promise<void> {
  if (isSealed) await sealed?.close();
  else await content.discard();
}

/** Handles of one reader, which is closed with the last of them. */
export function lend(reader: VersionReader, count: number): VersionReader[] {
  let left = count;
  return Array.from({ length: count }, () => {
    let isOpen = true;
    return {
      read: (offset, length) => reader.read(offset, length),
      async close() {
        if (isOpen && --left === 0) await reader.close();
        isOpen = false;
      },
    };
  });
}
