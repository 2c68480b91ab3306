/**
 * A small file beside the control database that has its last committed audit record and the highest numbers of uploads and runs.
 * A database that lacks that record has lost commits: its write-ahead log is missing, or an older copy took its place.
 */
import { closeSync, constants, fdatasync, fdatasyncSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import type { Knex } from 'knex';
import { DatabaseError } from '../error.js';
import type { AuditEvent } from './auditchain.js';
import { raiseNumbers, readControlMarks } from './pair.js';

/** Committed records that the control database does not have. */
export interface Loss {
  /** How many audit records at least, and how many acknowledged uploads at most. */
  records: number;
  uploads: number;
  /** The last record that it still has. */
  found: number;
  /** When it was noticed, in ms. */
  at: number;
}

interface State {
  /** The number and the hash of the last record that was committed. */
  seq: number;
  hash: string;
  upload: number;
  run: number;
  /** null: nothing is lost, or an operator has accepted it. */
  lost: Loss | null;
}

/** A place on the disk that never grows: it can be written while the disk is full. */
const bytes = 1024;
const syncEveryMs = 5_000;

export class ControlMark {
  readonly #file: string;
  #handle: number | null = null;
  /** As this process read or wrote it last. */
  #last: State | null = null;
  #timer: NodeJS.Timeout | null = null;
  #isExamined = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** What the database has lost, until an operator accepts it; null: nothing. @throws DatabaseError as examine */
  get lost(): Loss | null {
    return this.#read()?.lost ?? null;
  }

  /** Whether the file shows the last commit: without it nothing is known about losses. @throws DatabaseError as examine */
  get isKnown(): boolean {
    return this.#read() !== null;
  }

  /** The last commit that it knows of this database; null: none, or it was not compared with this database, or can't be read. */
  get head(): { seq: number; hash: string } | null {
    if (!this.#isExamined) return null;
    try {
      return this.#read();
    } catch {
      return null;
    }
  }

  /**
   * Compares the database with the file; numbers that were given out before a loss are not given out again.
   * @throws DatabaseError `unavailable` when the file is there and can't be read: without it a loss would be forgotten
   */
  async examine({ read, write }: Record<'read' | 'write', Knex>, now: number): Promise<void> {
    const state = this.#read();
    this.#isExamined = true;
    if (state === null) return;
    const record = await read('audit').where({ seq: state.seq }).first('hash');
    if (record?.hash === state.hash) return;
    const head = await read('audit_head').where({ id: 1 }).first('count', 'hash');
    const { issued } = await readControlMarks(read);
    if (state.run > issued.run || state.upload > issued.upload) await raiseNumbers(write, state);
    // Another node may have committed since; and the numbers that are issued say nothing: PostgreSQL's standby skips up to 32.
    const found = Math.min(head.count, state.seq - 1);
    const last = await read('audit').where('seq', '<=', found).max({ upload: 'upload_id' }).first();
    const lost: Loss = {
      records: (state.lost?.records ?? 0) + state.seq - found,
      uploads: (state.lost?.uploads ?? 0) + Math.max(0, state.upload - Number(last?.upload ?? 0)),
      found: Math.min(state.lost?.found ?? found, found),
      at: now,
    };
    this.#write({ ...state, seq: head.count, hash: head.hash, lost });
  }

  /**
   * Right after a commit. A file that can't be written makes no commit fail: the next one writes it.
   * @throws DatabaseError as examine, and writes nothing over a state that it does not know
   */
  note(head: { seq: number; hash: string }, events: readonly AuditEvent[]): void {
    const state = this.#read();
    // Another process may have committed later, and noted that before.
    if (state !== null && state.seq >= head.seq) return;
    const highest = (of: 'upload' | 'run') =>
      Math.max(state?.[of] ?? 0, ...events.map(({ detail }) => (typeof detail[of] === 'number' ? detail[of] : 0)));
    this.#write({ ...head, upload: highest('upload'), run: highest('run'), lost: state?.lost ?? null });
  }

  acceptLoss(): void {
    const state = this.#read();
    if (state !== null) this.#write({ ...state, lost: null });
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#handle === null) return;
    try {
      fdatasyncSync(this.#handle);
    } catch {
      // As for a file that can't be written.
    }
    closeSync(this.#handle);
    this.#handle = null;
  }

  /** null: there is none yet, or it is damaged. Where this process knows an earlier state, it uses that one. */
  #read(): State | null {
    try {
      this.#last = parse(this.#readBytes()) ?? this.#last;
    } catch (cause) {
      if (this.#last === null && (cause as NodeJS.ErrnoException).code !== 'ENOENT')
        throw new DatabaseError(
          'unavailable',
          `${this.#file} can't be read (${(cause as Error).message}): make sure that it is a file which the user of Dropslot can read and write, and that the disk is whole`,
          { cause },
        );
    }
    return this.#last;
  }

  #readBytes(): Buffer {
    if (this.#handle === null) return readFileSync(this.#file);
    const buffer = Buffer.alloc(bytes);
    return buffer.subarray(0, readSync(this.#handle, buffer, 0, bytes, 0));
  }

  #write(state: State): void {
    this.#last = state;
    try {
      this.#handle ??= openSync(this.#file, constants.O_RDWR | constants.O_CREAT, 0o600);
      writeSync(
        this.#handle,
        JSON.stringify(state)
          .padEnd(bytes - 1)
          .concat('\n'),
        0,
      );
      this.#timer ??= setTimeout(() => this.#sync(), syncEveryMs).unref();
    } catch {
      // The disk is full, or the folder is gone: the database itself says so.
    }
  }

  #sync(): void {
    this.#timer = null;
    if (this.#handle !== null) fdatasync(this.#handle, () => {});
  }
}

/** null: it is damaged, as of a power cut while it was written. */
function parse(content: Buffer): State | null {
  let state: Partial<State> | null;
  try {
    state = JSON.parse(content.toString());
  } catch {
    return null;
  }
  const isWhole =
    [state?.seq, state?.upload, state?.run].every(Number.isSafeInteger) && typeof state?.hash === 'string';
  return isWhole ? (state as State) : null;
}
