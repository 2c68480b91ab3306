/** The interface of an organization's space: a virtual tree whose files are sealed blobs. */

/** Attributes that clients set and see. */
export interface Attributes {
  /** Permission bits only (0o777 mask). */
  mode: number;
  mtimeMs: number;
  atimeMs: number;
}

/** One file or folder of the virtual tree. */
export interface Entry extends Attributes {
  /** Absolute virtual path, `/archive/2026-01-31/users.csv`. */
  path: string;
  name: string;
  kind: 'file' | 'dir';
  /** Plaintext bytes; 0 for folders. */
  size: number;
  /** Whether clients may write here: false for `/archive`, `/reports`, `/templates` and all below them. */
  writable: boolean;
}

export type SpaceErrorCode =
  | 'not_found'
  | 'exists'
  | 'not_a_folder'
  | 'is_a_folder'
  | 'not_empty'
  | 'read_only'
  /** A name that is no legal UTF-8, too long, `.`/`..`, or has a NUL or a slash. */
  | 'bad_name'
  /** A new name with a line break, a tab or another control character. */
  | 'control_character'
  /** Larger than a limit allows. */
  | 'too_large'
  /** The organization has as much as it may have. */
  | 'quota'
  /** The volume is nearly full. */
  | 'no_space'
  /** The organization's sessions hold as much memory as they may. */
  | 'busy'
  /** An upload that was cut off: it takes no name but its own before it is complete. */
  | 'incomplete'
  /** This server takes uploads only: it holds no key that opens a file. */
  | 'withheld'
  /** The organization's identity was destroyed: its files are gone for good, and it takes none before it has a new one. */
  | 'destroyed'
  /** The stored bytes were changed or are missing (broken seal, missing blob). */
  | 'damaged'
  /** Disk full, I/O error, database gone: the client may try again. */
  | 'failed'
  /** It needs bytes of an existing version that this server holds no key for. */
  | 'keyless'
  /** A writer on another server has it open, and the two can't share it. */
  | 'written_elsewhere'
  /** A sequence of writes that sealed files do not support. */
  | 'unsupported';

/** The client gets the code's fixed sentence; `message` may name the path and is for the log. */
export class SpaceError extends Error {
  override name = 'SpaceError';
  constructor(
    readonly code: SpaceErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An open file for reading: keeps reading the version it was opened on, even if its name is removed or replaced. */
export interface Reader {
  readonly entry: Entry;
  /** Up to `length` bytes of plaintext from `offset`; empty at or past the end. Only the chunks it touches are decrypted. */
  read(offset: number, length: number): Promise<Buffer>;
  /** SHA-256 of the whole plaintext, hex, where it is known without reading it; null: of an upload that was cut off. */
  checksum(): Promise<string | null>;
  close(): Promise<void>;
}

/** An organization's limits and how much of them is used. */
export interface SpaceUsage {
  maxStoredBytes: number;
  storedBytes: number;
  maxFiles: number;
  /** Files and folders. */
  files: number;
  maxNameBytes: number;
}

/** One organization's tree, as its sessions see it. Every method throws SpaceError. Paths are absolute and normalized. */
export interface Space {
  readonly org: string;
  stat(path: string): Promise<Entry>;
  /** Entries of a folder in the order of their names, from after `afterName`; at most `limit`. */
  list(path: string, afterName: string | null, limit: number): Promise<Entry[]>;
  /** @param signal its reader has left: reads under way, and later ones, may fail */
  openRead(path: string, signal?: AbortSignal): Promise<Reader>;
  /** As Reader's, without opening the file, which needs no key. */
  checksum(path: string): Promise<string | null>;
  /** As it is now, uploads in progress left out. */
  measure(): Promise<SpaceUsage>;
  mkdir(path: string, attributes: Partial<Attributes>): Promise<void>;
  rmdir(path: string): Promise<void>;
  setAttributes(path: string, attributes: Partial<Attributes>): Promise<void>;
}
