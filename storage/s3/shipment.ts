/**
 * Sends one sealed file to the object store while it is being written: it fills a file on the local disk, and each full part of
 * it is sent. A file that is smaller than a part is sent whole at its end. The object appears at once and complete, or not at all.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { S3 } from '@aws-sdk/client-s3';
import { type Spool, StoreError } from '../blobstore.js';
import type { Destination } from '../destination.js';
import type { DiskFile } from '../disk.js';
import type { Conditions } from './conditions.js';
import type { Lanes } from './lanes.js';
import type { Attempt, S3Requests } from './requests.js';

export interface ShipmentDeps {
  requests: S3Requests;
  key: string;
  /** Takes turns with the others in the lanes. */
  owner: string;
  /** Of the first parts; no more of one is in memory. */
  partBytes: number;
  /** For parts, and for small files. */
  lanes: Lanes;
  smallLanes: Lanes;
  conditions: Conditions;
}

interface PartPlace {
  Bucket: string;
  Key: string;
  UploadId: string;
  PartNumber: number;
}

interface Part {
  PartNumber: number;
  ETag: string;
}

const smallBytes = 256 * 1024;
/** Read at once of a part that is too large for the memory. */
const pieceBytes = 1024 * 1024;
/** Stores take no part of more than 5 GiB. */
const mostPartBytes = 4 * 1024 ** 3;
/** Parts of one size; after them each is such a fraction of the bytes before it. */
const equalParts = 100;
/** After a part that could not be sent the next attempt waits for this time, or for the end of the file. */
const restMs = 10_000;
/** Removes the parts of a failed file, whose client waits for its answer. The daily sweep removes the rest. */
const brief = { retryMs: 0, usualMs: 10_000 };
/** So often a file is completed, each time after its parts were sent anew. */
const mostCompletions = 3;

export class Shipment implements Destination {
  readonly id: string;
  readonly file: DiskFile;
  readonly #deps: ShipmentDeps;
  readonly #spool: Spool;
  /** Bytes in the local file, and of these the ones that the store has as parts. */
  #written = 0;
  #shipped = 0;
  #upload: string | null = null;
  /** Uploads whose parts were sent again, and which the store did not abort. */
  readonly #abandoned: string[] = [];
  readonly #parts: Part[] = [];
  #sending: Promise<void> | null = null;
  #restsUntil = 0;
  #isEnded = false;
  #mayExist = false;

  constructor(id: string, spool: Spool, deps: ShipmentDeps) {
    this.id = id;
    this.#spool = spool;
    this.#deps = deps;
    const { file } = spool;
    this.file = {
      read: (memory, offset, length, position) => file.read(memory, offset, length, position),
      writev: async (pieces) => {
        const written = await file.writev(pieces);
        this.#written += written.bytesWritten;
        this.#shipSoon();
        return written;
      },
      stat: () => file.stat(),
      sync: () => this.#shipAll(),
      datasync: () => file.datasync(),
      close: () => file.close(),
    };
  }

  async publish(): Promise<void> {
    this.#mayExist = true;
    if (this.#upload === null) await this.#put();
    else await this.#complete();
    await this.#verify();
    this.#isEnded = true;
    await this.#spool.file.close();
    await this.#spool.remove();
  }

  /** An object like any other; only the row of the partial names it. */
  park(): Promise<void> {
    return this.publish();
  }

  /** A store that is away keeps parts, which the daily sweep removes. */
  async discard(): Promise<void> {
    await this.#end(() => this.#removeSent().catch(() => {}));
  }

  async leave(): Promise<void> {
    await this.#end(async () => {});
  }

  async #end(removeSent: () => Promise<void>): Promise<void> {
    const isFirst = !this.#isEnded;
    this.#isEnded = true;
    await this.#sending?.catch(() => {});
    if (isFirst) await removeSent();
    await this.#spool.file.close().finally(() => this.#spool.remove());
  }

  async #removeSent(): Promise<void> {
    const { requests, key } = this.#deps;
    const place = { Bucket: requests.bucket, Key: key };
    await this.#abortAbandoned();
    if (this.#upload !== null)
      await this.#abort(this.#upload).catch((error) => {
        if (!this.#mayExist) throw error;
      });
    if (this.#mayExist) await requests.run((s3, attempt) => s3.deleteObject(place, attempt), brief);
  }

  #shipSoon(): void {
    const isDue = this.#hasFullPart && performance.now() >= this.#restsUntil;
    if (this.#isEnded || this.#sending !== null || !isDue) return;
    this.#sending = this.#shipFull()
      .catch(() => {
        // Sent again later; an error at the end of the file is its client's.
        this.#restsUntil = performance.now() + restMs;
      })
      .finally(() => {
        this.#sending = null;
      });
  }

  async #shipFull(): Promise<void> {
    while (!this.#isEnded && this.#hasFullPart) await this.#shipPart(this.#nextBytes);
  }

  get #nextBytes(): number {
    return partBytesAfter(this.#shipped, this.#deps.partBytes);
  }

  get #hasFullPart(): boolean {
    return this.#written - this.#shipped >= this.#nextBytes;
  }

  async #shipAll(): Promise<void> {
    await this.#sending;
    if (this.#upload === null && this.#written < this.#deps.partBytes) return;
    await this.#shipFull();
    if (this.#written > this.#shipped) await this.#shipPart(this.#written - this.#shipped);
  }

  async #shipPart(bytes: number): Promise<void> {
    const { requests, key, owner, lanes } = this.#deps;
    const place = { Bucket: requests.bucket, Key: key };
    this.#upload ??= await requests.run(
      async (s3, attempt) => (await s3.createMultipartUpload(place, attempt)).UploadId!,
    );
    const UploadId = this.#upload;
    const PartNumber = this.#parts.length + 1;
    await lanes.run(owner, async () => {
      const part = { ...place, UploadId, PartNumber };
      const ETag = await (bytes > this.#deps.partBytes ? this.#streamPart(part, bytes) : this.#sendPart(part, bytes));
      this.#parts.push({ PartNumber, ETag });
    });
    this.#shipped += bytes;
  }

  async #sendPart(place: PartPlace, bytes: number): Promise<string> {
    const Body = await this.#readSpool(this.#shipped, bytes);
    const part = { ...place, Body, ContentMD5: digestOf(Body) };
    const sent = await this.#deps.requests.run((s3, attempt) => s3.uploadPart(part, attempt), { bytes });
    return sent.ETag!;
  }

  /** Reads the local file twice: the digest is sent before the bytes. */
  async #streamPart(place: PartPlace, bytes: number): Promise<string> {
    const hash = createHash('md5');
    for await (const piece of this.#readPieces(bytes)) hash.update(piece);
    const part = { ...place, ContentLength: bytes, ContentMD5: hash.digest('base64') };
    const send = async (s3: S3, attempt: Attempt) => {
      const Body = Readable.from(this.#readPieces(bytes), { objectMode: false });
      const failed = new Promise<never>((_, reject) => Body.once('error', reject));
      try {
        return await Promise.race([s3.uploadPart({ ...part, Body }, attempt), failed]);
      } finally {
        Body.destroy();
      }
    };
    return (await this.#deps.requests.run(send, { bytes })).ETag!;
  }

  async *#readPieces(bytes: number): AsyncGenerator<Buffer, void, void> {
    const start = this.#shipped;
    for (let at = 0; at < bytes; at += pieceBytes)
      yield await this.#readSpool(start + at, Math.min(pieceBytes, bytes - at));
  }

  async #put(): Promise<void> {
    const { requests, key, owner, lanes, smallLanes } = this.#deps;
    const lane = this.#written > smallBytes ? lanes : smallLanes;
    await lane.run(owner, async () => {
      const Body = await this.#readSpool(0, this.#written);
      const object = { Bucket: requests.bucket, Key: key, Body, ContentMD5: digestOf(Body) };
      const bytes = Body.length;
      await this.#writeOnce((condition) =>
        requests.run((s3, attempt) => s3.putObject({ ...object, ...condition }, attempt), { bytes }),
      );
    });
  }

  /**
   * A store that answers 409 ConditionalRequestConflict, or does not know the upload any more, will never complete it: the parts are sent
   * again from the local file, as Amazon asks for.
   */
  async #complete(): Promise<void> {
    for (let attempt = 1; ; attempt++)
      try {
        // Unless this upload has become the object, another one of them may be it.
        if (await this.#completeOnce()) await this.#abortAbandoned();
        return;
      } catch (error) {
        const isFinal = error instanceof StoreError && (error.code === 'changed' || error.code === 'unusable');
        if (!isFinal || attempt === mostCompletions || (await this.#sizeStored()) !== null) throw error;
        await this.#sendAgain();
      }
  }

  /** false: its answer was lost, or another attempt has made the object. */
  async #completeOnce(): Promise<boolean> {
    const { requests, key } = this.#deps;
    const place = { Bucket: requests.bucket, Key: key, UploadId: this.#upload! };
    const complete = { ...place, MultipartUpload: { Parts: this.#parts } };
    return this.#writeOnce((condition) =>
      requests.run((s3, attempt) => s3.completeMultipartUpload({ ...complete, ...condition }, attempt), {
        repeatsConflict: false,
      }),
    );
  }

  async #sendAgain(): Promise<void> {
    const old = this.#upload!;
    await this.#abort(old).catch(() => this.#abandoned.push(old));
    this.#upload = null;
    this.#shipped = 0;
    this.#parts.length = 0;
    await this.#shipAll();
  }

  async #abort(UploadId: string): Promise<void> {
    const { requests, key } = this.#deps;
    const place = { Bucket: requests.bucket, Key: key, UploadId };
    await requests.run((s3, attempt) => s3.abortMultipartUpload(place, attempt), brief);
  }

  /** Tried once more; what the store still does not abort is left to the operator. */
  async #abortAbandoned(): Promise<void> {
    for (const upload of this.#abandoned.splice(0)) await this.#abort(upload).catch(() => {});
  }

  /**
   * Never over an object that exists. An answer that was lost makes the repeated request fail, because the first one has
   * succeeded: the object that is there decides, whose id no other file has. Whether the store has answered that it has written it.
   */
  async #writeOnce(write: (condition: { IfNoneMatch?: '*' }) => Promise<unknown>): Promise<boolean> {
    const condition = await this.#deps.conditions.forNew();
    if (condition === null) await this.#requireNone();
    try {
      await write(condition ?? {});
      return true;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'unavailable') throw error;
      if ((await this.#sizeStored()) !== this.#written) throw error;
      return false;
    }
  }

  async #requireNone(): Promise<void> {
    const size = await this.#sizeStored();
    if (size !== null && size !== this.#written)
      throw new StoreError('changed', `${this.#deps.requests.name} has another object ${this.#deps.key}`);
  }

  async #verify(): Promise<void> {
    const size = await this.#sizeStored();
    if (size === this.#written) return;
    const { key, requests } = this.#deps;
    const found = size === null ? 'no object' : `${size} bytes instead of ${this.#written}`;
    throw new StoreError('unusable', `${requests.name}: after the upload of ${key} it has ${found}`);
  }

  /** null: no such object. */
  async #sizeStored(): Promise<number | null> {
    const { requests, key } = this.#deps;
    try {
      const place = { Bucket: requests.bucket, Key: key };
      return (await requests.run((s3, attempt) => s3.headObject(place, attempt))).ContentLength ?? 0;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  async #readSpool(position: number, bytes: number): Promise<Buffer> {
    const memory = Buffer.allocUnsafe(bytes);
    for (let filled = 0; filled < bytes; ) {
      const { bytesRead } = await this.#spool.file.read(memory, filled, bytes - filled, position + filled);
      if (bytesRead === 0) throw new Error('the local file of an upload is shorter than its bytes');
      filled += bytesRead;
    }
    return memory;
  }
}

/**
 * Bytes of the part behind those that were sent: how large the file becomes is not known, and a store takes 1,000 parts (OpenStack
 * Swift) or 10,000. 1,000 of them hold 1.3 TiB where the first ones have 5 MiB, and no more than a hundredth of the file is in one.
 */
export function partBytesAfter(sentBytes: number, partBytes: number): number {
  return Math.max(partBytes, Math.min(mostPartBytes, Math.floor(sentBytes / equalParts)));
}

export function digestOf(body: Buffer): string {
  return createHash('md5').update(body).digest('base64');
}
