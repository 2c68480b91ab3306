/** A bucket of an object store in the place of the folder of sealed files; keys are as the names of files in that folder. */
import { open } from 'node:fs/promises';
import { type BlobStore, type Look, type Spool, type StoredBlob, StoreError } from '../blobstore.js';
import type { Destination } from '../destination.js';
import type { DiskFile } from '../disk.js';
import { Conditions } from './conditions.js';
import { replaceHeader } from './headerchange.js';
import { Lanes } from './lanes.js';
import { ObjectFile } from './objectfile.js';
import { listObjects } from './pages.js';
import { newProbeKey, removeProbes } from './probes.js';
import { type S3Place, S3Requests } from './requests.js';
import { Shipment } from './shipment.js';
import { idOf, Unfinished } from './unfinished.js';

/** Parts in memory at once, and small files. */
const partLanes = 4;
const smallFileLanes = 32;
const copyBytes = 1024 * 1024;
/** The object that names the installation; no id of a blob is like it. */
const noteName = 'installation';

/** Shared by the views of all organizations. */
interface Shared {
  partBytes: number;
  lanes: Lanes;
  smallLanes: Lanes;
  conditions: Conditions;
  /** Of each blob that this process reads: how often it is open, and whether it is removed with its last reader. */
  readers: Map<string, { count: number; isDoomed: boolean }>;
}

export class ObjectStore implements BlobStore {
  readonly #shared: Shared;
  readonly #requests: S3Requests;
  readonly #unfinished: Unfinished;
  /** Empty: no organization. */
  readonly #org: string;

  private constructor(shared: Shared, requests: S3Requests, org: string) {
    this.#shared = shared;
    this.#requests = requests;
    this.#unfinished = new Unfinished(requests);
    this.#org = org;
  }

  static open(place: S3Place, partBytes: number): ObjectStore {
    const requests = S3Requests.open(place);
    const lanes = (count: number) => new Lanes({ count, patienceMs: place.retryMs, isOutage });
    const shared = { partBytes, lanes: lanes(partLanes), smallLanes: lanes(smallFileLanes) };
    return new ObjectStore({ ...shared, conditions: new Conditions(requests), readers: new Map() }, requests, '');
  }

  get name(): string {
    return this.#requests.name;
  }

  of(org: string): ObjectStore {
    return new ObjectStore(this.#shared, this.#requests.of(org), org);
  }

  begin(id: string, spool: Spool, other = ''): Destination {
    const owner = this.#org || other;
    const { partBytes, lanes, smallLanes, conditions } = this.#shared;
    const requests = this.#requests.of(owner);
    return new Shipment(id, spool, { owner, requests, key: this.#keyOf(id), partBytes, lanes, smallLanes, conditions });
  }

  async open(id: string, signal?: AbortSignal): Promise<DiskFile> {
    const readers = this.#shared.readers.get(id) ?? { count: 0, isDoomed: false };
    this.#shared.readers.set(id, readers);
    readers.count++;
    const leave = async () => {
      readers.count--;
      if (readers.count > 0) return;
      this.#shared.readers.delete(id);
      if (readers.isDoomed) await this.#delete(id);
    };
    try {
      return await ObjectFile.open(this.#requests, this.#keyOf(id), leave, signal);
    } catch (error) {
      await leave();
      throw error;
    }
  }

  async stat(id: string, look: Look = {}): Promise<{ size: number; mtimeMs: number } | null> {
    try {
      const place = { Bucket: this.#requests.bucket, Key: this.#keyOf(id) };
      const found = await this.#requests.run((s3, attempt) => s3.headObject(place, attempt), look);
      return { size: found.ContentLength ?? 0, mtimeMs: found.LastModified?.getTime() ?? 0 };
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  /** After its last reader in this process. One that is killed before leaves it to the daily sweep. */
  async remove(id: string, look: Look = {}): Promise<void> {
    const readers = this.#shared.readers.get(id);
    if (readers !== undefined) readers.isDoomed = true;
    else await this.#delete(id, look);
  }

  async *list(start = ''): AsyncGenerator<StoredBlob, void, void> {
    const { prefix } = this.#requests;
    for await (const { Key = '', Size = 0, LastModified } of listObjects(this.#requests, `${prefix}${start}`)) {
      const id = idOf(Key.slice(prefix.length));
      if (id !== null) yield { id, size: Size, mtimeMs: LastModified?.getTime() ?? 0 };
    }
  }

  replaceHeader(id: string, old: Buffer, header: Buffer): Promise<void> {
    return replaceHeader(this.#requests, this.#keyOf(id), old, header);
  }

  async add(id: string, path: string, isNew = false): Promise<void> {
    if (!isNew) await this.#delete(id);
    const local = await open(path, 'r');
    // The file itself is the spool: nothing is written to it.
    let taken = 0;
    const file: DiskFile = {
      read: (memory, offset, length, position) => local.read(memory, offset, length, position),
      writev: async (pieces) => {
        const bytesWritten = pieces.reduce((sum, { length }) => sum + length, 0);
        taken += bytesWritten;
        return { bytesWritten };
      },
      stat: async () => ({ size: taken }),
      sync: async () => {},
      datasync: async () => {},
      close: () => local.close(),
    };
    const shipment = this.begin(id, { file, remove: async () => {} });
    try {
      const { size } = await local.stat();
      for (let at = 0; at < size; at += copyBytes)
        await shipment.file.writev([Buffer.alloc(Math.min(copyBytes, size - at))]);
      await shipment.file.sync();
      await shipment.publish();
    } catch (error) {
      await shipment.discard();
      throw error;
    }
  }

  listUnfinished() {
    return this.#unfinished.list();
  }

  measureUnfinished(id: string, look: Look = {}): Promise<number> {
    return this.#unfinished.measure(this.#keyOf(id), look);
  }

  completeUnfinished(id: string): Promise<boolean> {
    return this.#unfinished.complete(this.#keyOf(id));
  }

  hasParts({ id, upload }: { id: string; upload: string }): Promise<boolean> {
    return this.#unfinished.hasParts(this.#keyOf(id), upload);
  }

  abortUnfinished({ id, upload }: { id: string; upload: string }): Promise<void> {
    return this.#unfinished.abort(this.#keyOf(id), upload);
  }

  async forget(id: string, look: Look = {}): Promise<void> {
    await this.#unfinished.abortAll(this.#keyOf(id), look);
    await this.remove(id, look);
  }

  async readInstallation(): Promise<string | null> {
    try {
      return await this.#requests.run(async (s3, attempt) =>
        (await (await s3.getObject(this.#note, attempt)).Body!.transformToString()).trim(),
      );
    } catch (error) {
      if (error instanceof StoreError && error.code === 'ENOENT') return null;
      throw error;
    }
  }

  async writeInstallation(id: string): Promise<void> {
    const note = { ...this.#note, Body: Buffer.from(`${id}\n`), ...(await this.#shared.conditions.forNew()) };
    await this.#requests
      .run((s3, attempt) => s3.putObject(note, attempt))
      .catch((error) => {
        // It is there: that of this installation, or of another one.
        if (!(error instanceof StoreError) || error.code !== 'changed') throw error;
      });
    const found = await this.readInstallation();
    if (found !== id) throw new StoreError('foreign', `${this.name} belongs to another installation (${found})`);
  }

  async probe(): Promise<void> {
    const place = { Bucket: this.#requests.bucket, Key: newProbeKey(this.#requests) };
    const once = { retryMs: 0 };
    await this.#requests.run((s3, attempt) => s3.putObject({ ...place, Body: Buffer.from('probe') }, attempt), once);
    await this.#requests.run(async (s3, attempt) => {
      const got = await s3.getObject({ ...place, Range: 'bytes=1-2' }, attempt);
      if ((await got.Body!.transformToString()) !== 'ro') throw new TypeError('it does not answer ranges');
    }, once);
    await this.#requests.run((s3, attempt) => s3.deleteObject(place, attempt), once);
  }

  removeProbes(before: number): Promise<void> {
    return removeProbes(this.#requests, before);
  }

  close(): void {
    this.#requests.close();
  }

  async #delete(id: string, look: Look = {}): Promise<void> {
    const place = { Bucket: this.#requests.bucket, Key: this.#keyOf(id) };
    await this.#requests
      .run((s3, attempt) => s3.deleteObject(place, attempt), look)
      .catch((error) => {
        if (!(error instanceof StoreError) || error.code !== 'ENOENT') throw error;
      });
  }

  get #note(): { Bucket: string; Key: string } {
    return { Bucket: this.#requests.bucket, Key: `${this.#requests.prefix}${noteName}` };
  }

  #keyOf(id: string): string {
    return `${this.#requests.prefix}${id.slice(0, 2)}/${id}`;
  }
}

/** Not an error of one file, or of the local disk. */
function isOutage(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'unavailable';
}
