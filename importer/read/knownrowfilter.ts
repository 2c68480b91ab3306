/**
 * Remembers the rows of users files whose values the directory has: each was imported without an issue, and its user has not
 * changed since. The same row in a later file, byte for byte, need not be planned (docs/decisions/known-rows.md).
 *
 * It finds a row by the row's digest, or by the digest of its user's compared email; each user has one row. They are kept in
 * typed arrays with two open-addressing indexes, in about 50 bytes for each row: a Map takes five times that.
 */
import { hash } from 'node:crypto';
import { type KnownForm, knownRowBytes } from '../../db/directory/knownrows.js';

/** A file with more rows is planned whole each time: this bounds the memory, to about 100 MB. */
export const mostKnownRows = 2 * 1024 * 1024;
/** Length of the row's digest; the rest of the stored bytes is the digest of its user. */
const digestBytes = 16;

/**
 * States of a row: `stored` by an earlier run; `noted` while its file is planned, or `barred` when the file has two rows of the
 * user; then `added` or `dropped`.
 */
const [stored, noted, barred, added, dropped] = [0, 1, 2, 3, 4] as const;

/** The digest of a row or a user (SHA-256), of which the first bytes are stored: a character for each byte. */
export function digestOf(bytes: Buffer | string): string {
  // In one call, and as a text: a Buffer for it takes twice as long as the digest, and two are made for each row.
  return hash('sha256', bytes, 'binary');
}

/** @param bytes how many of the digest */
export function hexOf(digest: string, bytes = digest.length): string {
  return Buffer.from(digest, 'latin1').toString('hex', 0, bytes);
}

export class KnownRows {
  #form: KnownForm | null;
  #count = 0;
  #rows: Buffer;
  #states: Uint8Array;
  /** The line of each noted row. */
  #lines: Int32Array;
  /** Indexes by the first word of the digest, and of the user's: positions plus one; 0 is free. */
  #byDigest: Int32Array;
  #byUser: Int32Array;
  #isChanged = false;
  /** Whether the file that is being planned has the form of the rows that are kept. */
  #isOfForm = false;
  /** Places of the rows that it notes are from the first to before the end: a run of many files has many small ones. */
  #firstNoted = Number.POSITIVE_INFINITY;
  #endNoted = 0;
  /** Whether an earlier run stored a row. */
  readonly hasStored: boolean;

  /** @param pieces whole rows, as `pieces` gives them. */
  constructor(form: KnownForm | null, pieces: readonly Buffer[]) {
    this.#form = form;
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const rows = bytes / knownRowBytes;
    this.hasStored = rows > 0;
    const capacity = capacityFor(rows);
    this.#rows = Buffer.alloc(capacity * knownRowBytes);
    this.#states = new Uint8Array(capacity);
    this.#lines = new Int32Array(capacity);
    this.#byDigest = new Int32Array(capacity * 2);
    this.#byUser = new Int32Array(capacity * 2);
    let at = 0;
    for (const piece of pieces) at += piece.copy(this.#rows, at);
    for (; this.#count < rows; this.#count++) {
      this.#index(this.#byDigest, this.#count, 0);
      this.#index(this.#byUser, this.#count, digestBytes);
    }
  }

  /** As it is before any file is planned, for a plan that may be made again. */
  copy(): KnownRows {
    return new KnownRows(this.#form, [...this.pieces()]);
  }

  /** The form of the file that the rows are from; null: there are none. */
  get form(): KnownForm | null {
    return this.#form;
  }

  /** Positions of rows are below this. */
  get size(): number {
    return this.#count;
  }

  /** Whether `pieces` differs from the pieces of the constructor. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** The position of the row with this digest, if an earlier run stored it; -1: it is not known. */
  find(digest: string): number {
    const place = this.#find(this.#byDigest, digest, 0, digestBytes);
    return place >= 0 && this.#states[place] === stored ? place : -1;
  }

  /** The position of the user's row; -1: there is none. */
  findUser(user: string): number {
    return this.#find(this.#byUser, user, digestBytes, knownRowBytes);
  }

  /** Call before the rows of a file are noted. Rows of one form are kept only: of two files, those of the one with more rows. */
  begin(form: KnownForm, rows: number): void {
    this.#isOfForm = this.#form !== null && isSameForm(this.#form, form);
    if (this.#isOfForm || (this.#form !== null && rows < this.#count)) return;
    this.forgetOthers();
    this.#form = form;
    this.#isOfForm = true;
    this.#reserve(Math.min(rows, mostKnownRows));
  }

  /** Notes a row that is planned; its user's stored row is known no longer. */
  note(digest: string, user: string, line: number): void {
    let place = this.findUser(user);
    if (place < 0) {
      if (this.#count === mostKnownRows) return;
      if (this.#count === this.#states.length) this.#reserve(this.#count * 2);
      place = this.#count++;
      this.#write(user, place * knownRowBytes, digestBytes, knownRowBytes);
      this.#index(this.#byUser, place, digestBytes);
    }
    this.#isChanged = true;
    // Two rows of one user: both have to be planned the next time too, so that they are reported, or counted once, again.
    const isTwin = this.#states[place] === noted || this.#states[place] === barred;
    this.#states[place] = isTwin ? barred : noted;
    this.#lines[place] = line;
    this.#firstNoted = Math.min(this.#firstNoted, place);
    this.#endNoted = Math.max(this.#endNoted, place + 1);
    this.#write(digest, place * knownRowBytes, 0, digestBytes);
  }

  /** Drops all rows but those that the current file has noted. */
  forgetOthers(): void {
    this.#isChanged = true;
    for (let place = 0; place < this.#count; place++) {
      const state = this.#states[place];
      if (state === stored || state === added) this.#states[place] = dropped;
    }
  }

  /** Drops all rows, those of the current file too, and their memory. */
  forgetAll(): void {
    this.settle(() => false);
    this.#isChanged = true;
    this.#count = 0;
    this.#rows = Buffer.alloc(0);
    this.#states = new Uint8Array(0);
    this.#lines = new Int32Array(0);
    this.#byDigest = new Int32Array(capacityFor(0) * 2);
    this.#byUser = new Int32Array(capacityFor(0) * 2);
  }

  /** Drops the row of a user whom the run changes otherwise than by a row. */
  forgetUser(user: string): void {
    const place = this.findUser(user);
    if (place < 0) return;
    this.#isChanged = true;
    this.#states[place] = dropped;
  }

  /**
   * Ends a file that was planned or refused: noted rows are added or dropped.
   * @param isKept whether the directory will have the values of the row on this line.
   */
  settle(isKept: (line: number) => boolean): void {
    for (let place = this.#firstNoted; place < this.#endNoted; place++) {
      const state = this.#states[place];
      if (state === noted) this.#states[place] = this.#isOfForm && isKept(this.#lines[place]!) ? added : dropped;
      else if (state === barred) this.#states[place] = dropped;
    }
    this.#isOfForm = false;
    this.#firstNoted = Number.POSITIVE_INFINITY;
    this.#endNoted = 0;
  }

  /** The rows that are known when the run ends, for the constructor in the next run, in buffers of at most a mebibyte. */
  *pieces(): Generator<Buffer> {
    const pieceFor = (rows: number) => Buffer.allocUnsafe(Math.min(pieceRows, rows) * knownRowBytes);
    let piece = pieceFor(this.#count);
    let at = 0;
    for (let place = 0; place < this.#count; place++) {
      if (this.#states[place] !== stored && this.#states[place] !== added) continue;
      at += this.#rows.copy(piece, at, place * knownRowBytes, (place + 1) * knownRowBytes);
      if (at < piece.length) continue;
      yield piece;
      piece = pieceFor(this.#count - place - 1);
      at = 0;
    }
    if (at > 0) yield piece.subarray(0, at);
  }

  /** The position of the row whose bytes `from` to `to` equal the beginning of the digest. */
  #find(index: Int32Array, digest: string, from: number, to: number): number {
    const mask = index.length - 1;
    const low = digest.charCodeAt(0) | (digest.charCodeAt(1) << 8);
    const high = digest.charCodeAt(2) | (digest.charCodeAt(3) << 8);
    for (let slot = (low | (high << 16)) & mask; ; slot = (slot + 1) & mask) {
      const place = index[slot]! - 1;
      if (place < 0) return -1;
      const at = place * knownRowBytes + from;
      let same = 0;
      while (same < to - from && this.#rows[at + same] === digest.charCodeAt(same)) same++;
      if (same === to - from) return place;
    }
  }

  /** Writes the beginning of a digest into the bytes `from` to `to` of the row at `at`. */
  #write(digest: string, at: number, from: number, to: number): void {
    for (let byte = from; byte < to; byte++) this.#rows[at + byte] = digest.charCodeAt(byte - from);
  }

  #index(index: Int32Array, place: number, from: number): void {
    const mask = index.length - 1;
    let slot = this.#rows.readUInt32LE(place * knownRowBytes + from) & mask;
    while (index[slot] !== 0) slot = (slot + 1) & mask;
    index[slot] = place + 1;
  }

  #reserve(rows: number): void {
    const capacity = capacityFor(rows);
    if (capacity <= this.#states.length) return;
    this.#rows = enlarge(this.#rows, Buffer.alloc(capacity * knownRowBytes));
    this.#states = enlarge(this.#states, new Uint8Array(capacity));
    this.#lines = enlarge(this.#lines, new Int32Array(capacity));
    this.#byUser = new Int32Array(capacity * 2);
    for (let place = 0; place < this.#count; place++) this.#index(this.#byUser, place, digestBytes);
  }
}

/** Rows in a mebibyte. */
const pieceRows = Math.floor((1024 * 1024) / knownRowBytes);

function capacityFor(rows: number): number {
  let capacity = 1024;
  while (capacity < rows) capacity *= 2;
  return capacity;
}

function enlarge<T extends Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function isSameForm(one: KnownForm, other: KnownForm): boolean {
  return one.header === other.header && one.orders === other.orders;
}
