/** Declares how a file enters: begin, write, finish or abort an upload; and the removals and renames that affect the queue. */
import type { Queryable } from '../db/connection.js';
import type { Attributes, Entry, Reader } from '../storage/types.js';
import type { MemoryShare } from './memory.js';

/** The sender of an upload, as the receipt and the audit trail name it. */
export interface Sender {
  keyFingerprint: string | null;
  address: string | null;
  /** The client program's identification, `OpenSSH_9.2p1`. */
  client: string | null;
  /** `source:3`, `folder:3`: it came by another door than an SFTP session. */
  door?: string;
}

export interface BeginOptions {
  /** Start with an empty file; false: bytes that are not written over stay as they were (scp, resume). */
  truncate: boolean;
  /** Fail when the path exists. */
  exclusive: boolean;
  /** Create the path when it does not exist; false: fail with not_found. */
  create: boolean;
  /** Append every write, and ignore its offset. */
  append: boolean;
  /** Continue the upload at the path that was cut off, whatever file is there; fail with not_found where there is none. */
  resume?: boolean;
  /** Begin as if no upload of the path had been cut off; its bytes are kept until those of this one are. */
  anew?: boolean;
  /** Of a new file; a file that exists keeps its mode. */
  attributes: Partial<Attributes>;
}

export interface Receipt {
  uploadId: number;
  path: string;
  size: number;
  /** Of the plaintext, hex. */
  sha256: string;
  /** false: complete under a temporary name (it is queued when it is renamed), or for a dry run. */
  queued: boolean;
}

/**
 * One upload in progress. Calls come one after the other (the session awaits each). Only its own session sees it before
 * `finish`, which resolves only when all that it wrote would survive a power cut, and is queued: with the writes of others
 * who closed the same file before, and without those of writers who did not.
 */
export interface Upload {
  /** The path that it will be published under: its sender may rename it meanwhile. */
  readonly path: string;
  /** Its sender has removed the path: nothing will be published. */
  readonly isRemoved: boolean;
  /** The entry as a STAT of the handle should show it: the size written so far. */
  entry(): Entry;
  /** Takes bytes at an offset; keeps no reference to `bytes` after it resolves. Resolves at once while the window has space. */
  write(offset: number, bytes: Buffer): Promise<void>;
  /** Reads the content as all its open writers have made it, where that is possible; else throws `unsupported`. */
  read(offset: number, length: number): Promise<Buffer>;
  /** Reads the same, also when this upload has ended. */
  openView(): Reader;
  setSize(size: number): Promise<void>;
  setAttributes(attributes: Partial<Attributes>): void;
  /** Syncs the written bytes to the disk (fsync@openssh.com). */
  sync(): Promise<void>;
  /**
   * `isWanted` false, asked until the last moment: the server ended the session, and nothing is published. `onCommit` runs in the
   * transaction that publishes it, perhaps a second time in another one; nothing is published when it rejects.
   */
  finish(isWanted?: () => boolean, onCommit?: (tx: Queryable, receipt: Receipt) => Promise<void>): Promise<Receipt>;
  /** The connection died or the client gave up: publishes and queues nothing. Never throws. */
  abort(): Promise<void>;
  /** As `abort`, and keeps nothing: the same bytes would be refused again. */
  discard(): Promise<void>;
  /** As `abort`, and keeps the last byte too: for a door whose clients say when a file is complete, and compare no sizes. */
  pause(): Promise<void>;
}

/** The intake of one organization for one sender. Every method throws SpaceError. */
export interface Intake {
  /** The account of the memory that this sender's session holds, its requests and replies included. */
  readonly memory: MemoryShare;
  begin(path: string, options: BeginOptions): Promise<Upload>;
  /**
   * Removes a file; one that is still queued is withdrawn from the queue. An upload of this sender under the
   * path continues without a name, as an open file does.
   */
  remove(path: string): Promise<void>;
  /**
   * Renames a file or folder; a temporary name that becomes a final one is queued here, once. Uploads of this sender
   * in progress there move with it.
   */
  rename(from: string, to: string, overwrite: boolean): Promise<void>;
}
