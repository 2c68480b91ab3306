/** Owns the table of the open files and folders of one session. */
import type { Upload } from '../../intake/types.js';
import { isBelow } from '../../storage/path.js';
import type { Reader } from '../../storage/types.js';
import { SftpError } from './error.js';
import { TaskLock } from './tasklock.js';

interface Ordered {
  /** Requests on one handle run in the order in which they came. */
  readonly lock: TaskLock;
}

export interface ReaderHandle extends Ordered {
  kind: 'reader';
  reader: Reader;
  bytesRead: number;
}

export interface UploadHandle extends Ordered {
  kind: 'upload';
  upload: Upload;
  /** Opened for reading too. */
  readable: boolean;
}

export interface FolderHandle extends Ordered {
  kind: 'folder';
  path: string;
  /** The last name of the page before; null: none yet. */
  afterName: string | null;
  isExhausted: boolean;
}

export type Handle = ReaderHandle | UploadHandle | FolderHandle;

/** The limit on open handles that several sessions share. */
export interface HandleShare {
  isBelowLimit(): boolean;
  add(): void;
  remove(count: number): void;
}

export class HandleTable {
  readonly #handles = new Map<number, Handle>();
  /** In progress, in the order of their OPEN; also those whose CLOSE waits for its turn. */
  readonly #uploads = new Set<UploadHandle>();
  #nextNumber = 0;
  readonly #share: HandleShare | null;

  constructor(
    readonly most: number,
    share: HandleShare | null = null,
  ) {
    this.#share = share;
  }

  /** Throws SftpError `too_many_handles`. */
  requireFreeHandle(): void {
    if (this.#handles.size >= this.most)
      throw new SftpError('too_many_handles', `more than ${this.most} open handles in one session`);
    if (this.#share?.isBelowLimit() === false)
      throw new SftpError('too_many_handles', 'the limit on open handles of the organization is reached');
  }

  add(handle: Handle): Buffer {
    const number = this.#nextNumber++ % 0x1_0000_0000;
    this.#handles.set(number, handle);
    this.#share?.add();
    if (handle.kind === 'upload') this.#uploads.add(handle);
    const name = Buffer.allocUnsafe(4);
    name.writeUInt32BE(number, 0);
    return name;
  }

  /** Throws SftpError `unknown_handle`. */
  find(name: Buffer): Handle {
    const handle = name.length === 4 ? this.#handles.get(name.readUInt32BE(0)) : undefined;
    if (handle === undefined) throw new SftpError('unknown_handle', 'a handle that is not open');
    return handle;
  }

  /** Removes and returns a handle that is being closed: later requests no longer find it. */
  take(name: Buffer): Handle {
    const handle = this.find(name);
    this.#handles.delete(name.readUInt32BE(0));
    this.#share?.remove(1);
    return handle;
  }

  /** It has ended: `findUpload` no longer returns it. */
  forget(handle: UploadHandle): void {
    this.#uploads.delete(handle);
  }

  /** Removes and returns every handle, when the session ends. */
  takeAll(): Handle[] {
    const all = [...this.#handles.values()];
    this.#handles.clear();
    this.#share?.remove(all.length);
    this.#uploads.clear();
    return all;
  }

  /** The upload that this session has in progress at a path; the latest one, should there be two. null: none. */
  findUpload(path: string): UploadHandle | null {
    let found: UploadHandle | null = null;
    for (const handle of this.#uploads) if (!handle.upload.isRemoved && handle.upload.path === path) found = handle;
    return found;
  }

  /** The uploads that this session has in progress at the paths that `isWanted`, in the order of their OPEN. */
  findUploads(isWanted: (path: string) => boolean): UploadHandle[] {
    return [...this.#uploads].filter(({ upload }) => !upload.isRemoved && isWanted(upload.path));
  }

  /** A folder was renamed: open listings of it, and of folders below it, continue under the new name. */
  moveFolders(from: string, to: string): void {
    for (const handle of this.#handles.values())
      if (handle.kind === 'folder' && (handle.path === from || isBelow(handle.path, from)))
        handle.path = to + handle.path.slice(from.length);
  }

  countUploads(): number {
    return this.#uploads.size;
  }

  /** The files that are open, and the bytes that were transferred of them up to now. */
  measureOpen(): { files: number; bytes: number } {
    const uploads = [...this.#uploads].map(({ upload }) => upload.entry().size);
    const reads = [...this.#handles.values()].flatMap((handle) => (handle.kind === 'reader' ? [handle.bytesRead] : []));
    const bytes = [...uploads, ...reads];
    return { files: bytes.length, bytes: bytes.reduce((sum, each) => sum + each, 0) };
  }
}

/** `lock`: of the upload that it reads. */
export function newReaderHandle(reader: Reader, lock = new TaskLock()): ReaderHandle {
  return { kind: 'reader', lock, reader, bytesRead: 0 };
}

export function newUploadHandle(upload: Upload, lock: TaskLock, readable: boolean): UploadHandle {
  return { kind: 'upload', lock, upload, readable };
}

export function newFolderHandle(path: string): FolderHandle {
  return { kind: 'folder', lock: new TaskLock(), path, afterName: null, isExhausted: false };
}
