/** How a file enters: begin, write, finish or abort; and what else a client does that touches the queue. */
import type { Attributes, Entry } from '../storage/types.js';

/** Who sends: goes into the receipt and the audit trail. */
export interface Sender {
  keyFingerprint: string | null;
  address: string | null;
  /** The client program's identification, `OpenSSH_9.2p1`. */
  client: string | null;
}

export interface BeginOptions {
  /** Start from nothing; false: what is not written over stays as it was (scp, resume). */
  truncate: boolean;
  /** Fail when the path exists. */
  exclusive: boolean;
  /** Create the path when it does not exist; false: fail with not_found. */
  create: boolean;
  /** Every write goes to the end, whatever offset it names. */
  append: boolean;
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
 * One upload in progress. Calls come one after the other (the session awaits each). Nothing is visible under the path
 * before `finish`; `finish` resolves only when the file would survive a power cut and is queued.
 */
export interface Upload {
  /** Where it will be published: its sender may rename it while it goes on. */
  readonly path: string;
  /** Its sender has removed the name: there is nothing to finish. */
  readonly isRemoved: boolean;
  /** The entry as a STAT of the handle should show it: the size written so far. */
  entry(): Entry;
  /** Takes bytes at an offset; keeps no reference to `bytes` after it resolves. Resolves at once while there is room. */
  write(offset: number, bytes: Buffer): Promise<void>;
  /** Reads back what this upload holds (its base and its writes), where that is possible; else throws `unsupported`. */
  read(offset: number, length: number): Promise<Buffer>;
  setSize(size: number): Promise<void>;
  setAttributes(attributes: Partial<Attributes>): void;
  /** Pushes what was written to the disk (fsync@openssh.com). */
  sync(): Promise<void>;
  finish(): Promise<Receipt>;
  /** The connection died or the client gave up: publishes and queues nothing. Never throws. */
  abort(): Promise<void>;
}

/** The intake of one organization for one sender. Every method throws SpaceError. */
export interface Intake {
  begin(path: string, options: BeginOptions): Promise<Upload>;
  /**
   * Removes a file; one that is still queued is withdrawn from the queue. An upload of this sender that goes on under the
   * name goes on without one, as an open file does.
   */
  remove(path: string): Promise<void>;
  /**
   * Renames a file or folder; a temporary name that becomes a final one is queued here, once. Uploads of this sender that
   * go on there move with it.
   */
  rename(from: string, to: string, overwrite: boolean): Promise<void>;
}
