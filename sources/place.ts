/** Declares a place that files are taken from: a folder of an SFTP server or of this machine. */

/** A name in the folder; only regular files are listed. */
export interface Listed {
  name: string;
  size: number;
  /** Milliseconds; SFTP knows whole seconds only. */
  mtimeMs: number;
}

export interface OpenFile {
  /** Size and time as they are now. */
  stat(): Promise<Pick<Listed, 'size' | 'mtimeMs'>>;
  /** Its bytes from the beginning to its end, in order. */
  read(): AsyncIterable<Buffer>;
  close(): Promise<void>;
}

/** Every method throws SourceError. */
export interface Place {
  /** Its address, for receipts; null: this machine. */
  readonly address: string | null;
  /** Regular files, in any order; not links, nor files in subfolders. */
  list(): Promise<Listed[]>;
  /** @throws SourceError `changing` when the file is another one than the listed one */
  open(file: Listed): Promise<OpenFile>;
  /** As the folder lists it now; null: there is no such file. */
  look(name: string): Promise<Listed | null>;
  /** Names of these that a process holds open, as far as the system can tell. */
  findHeld(files: readonly Listed[]): Promise<Set<string>>;
  remove(name: string): Promise<void>;
  /** Moves it to a folder, which is made when it is missing, under a name that is free there. */
  move(name: string, to: string): Promise<void>;
  /** Lets requests fail at once that have no answer yet. */
  interrupt(): void;
  close(): Promise<void>;
}
