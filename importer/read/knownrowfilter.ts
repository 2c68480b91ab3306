/**
 * Rows of users files that the directory already says: each was imported without a finding, and nobody has changed its user
 * since. A file that has such a row again, byte for byte, need not have it planned (docs/decisions/known-rows.md).
 *
 * A row is known by its digest, its user by the digest of the compared email; there is one row for each user. They stand in
 * typed arrays with two open-addressing indexes, some 50 bytes for each row: a Map takes five times that.
 */
import { createHash } from 'node:crypto';
import { type KnownForm, knownRowBytes } from '../../db/directory/knownrows.js';

/** A file with more rows is planned whole each time: memory stays the same however long it is. */
export const mostKnownRows = 1024 * 1024;
/** Of the row's digest; what follows is the user's. */
const digestBytes = 16;

/** Where a row stands: `stored` by an earlier run; `noted` while the file at work is planned; then `added` or `dropped`. */
const [stored, noted, barred, added, dropped] = [0, 1, 2, 3, 4] as const;

/** What tells a row, or a user: the first bytes of a SHA-256. */
export function digestOf(bytes: Buffer | string): Buffer {
  return createHash('sha256').update(bytes).digest();
}

export class KnownRows {
  #form: KnownForm | null;
  #count = 0;
  #rows: Buffer;
  #states: Uint8Array;
  /** The line that brought a row that is noted. */
  #lines: Int32Array;
  /** Places plus one, by the first word of the digest, and of the user's; 0: free. */
  #byDigest: Int32Array;
  #byUser: Int32Array;
  #isChanged = false;
  /** Whether rows of the file at work are kept. */
  #isOfForm = false;

  /** @param pieces whole rows, as `pieces` gives them. */
  constructor(form: KnownForm | null, pieces: readonly Buffer[]) {
    this.#form = form;
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    const rows = bytes / knownRowBytes;
    const capacity = roomFor(rows);
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

  /** What the rows were read as; null: there are none. */
  get form(): KnownForm | null {
    return this.#form;
  }

  /** Places of rows are below this. */
  get size(): number {
    return this.#count;
  }

  /** Whether `pieces` gives anything else than what it was made of. */
  get isChanged(): boolean {
    return this.#isChanged;
  }

  /** The place of the row with this digest, where an earlier run left it; -1: it is not known. */
  find(digest: Buffer): number {
    const place = this.#find(this.#byDigest, digest, 0, digestBytes);
    return place >= 0 && this.#states[place] === stored ? place : -1;
  }

  /** The place of the user's row; -1: there is none. */
  findUser(user: Buffer): number {
    return this.#find(this.#byUser, user, digestBytes, knownRowBytes);
  }

  /** Before the rows of a file are noted. Only those of one form are known: of two, the file with more rows stays. */
  begin(form: KnownForm, rows: number): void {
    this.#isOfForm = this.#form !== null && isSameForm(this.#form, form);
    if (this.#isOfForm || (this.#form !== null && rows < this.#count)) return;
    this.forgetOthers();
    this.#form = form;
    this.#isOfForm = true;
    this.#reserve(Math.min(rows, mostKnownRows));
  }

  /** A row of the file at work that is planned: what was known of its user is not any more. */
  note(digest: Buffer, user: Buffer, line: number): void {
    let place = this.findUser(user);
    if (place < 0) {
      if (this.#count === mostKnownRows) return;
      if (this.#count === this.#states.length) this.#reserve(this.#count * 2);
      place = this.#count++;
      user.copy(this.#rows, place * knownRowBytes + digestBytes, 0, knownRowBytes - digestBytes);
      this.#index(this.#byUser, place, digestBytes);
    }
    this.#isChanged = true;
    // Two rows of one user: neither is passed over the next time, so that both are told of, or counted once, again.
    const isTwin = this.#states[place] === noted || this.#states[place] === barred;
    this.#states[place] = isTwin ? barred : noted;
    this.#lines[place] = line;
    digest.copy(this.#rows, place * knownRowBytes, 0, digestBytes);
  }

  /** Nothing is known any more but what the file at work has noted. */
  forgetOthers(): void {
    this.#isChanged = true;
    for (let place = 0; place < this.#count; place++) {
      const state = this.#states[place];
      if (state === stored || state === added) this.#states[place] = dropped;
    }
  }

  /**
   * The file at work is planned, or refused.
   * @param isKept tells by its line whether the directory will say what the row says.
   */
  settle(isKept: (line: number) => boolean): void {
    for (let place = 0; place < this.#count; place++) {
      const state = this.#states[place];
      if (state === noted) this.#states[place] = this.#isOfForm && isKept(this.#lines[place]!) ? added : dropped;
      else if (state === barred) this.#states[place] = dropped;
    }
    this.#isOfForm = false;
  }

  /** All that is known when the run ends, for the constructor of the next, in buffers of a mebibyte. */
  *pieces(): Generator<Buffer> {
    let piece = Buffer.allocUnsafe(pieceRows * knownRowBytes);
    let at = 0;
    for (let place = 0; place < this.#count; place++) {
      if (this.#states[place] !== stored && this.#states[place] !== added) continue;
      at += this.#rows.copy(piece, at, place * knownRowBytes, (place + 1) * knownRowBytes);
      if (at < piece.length) continue;
      yield piece;
      piece = Buffer.allocUnsafe(pieceRows * knownRowBytes);
      at = 0;
    }
    if (at > 0) yield piece.subarray(0, at);
  }

  /** The place of the row whose bytes `from` to `to` are the digest's first. */
  #find(index: Int32Array, digest: Buffer, from: number, to: number): number {
    const mask = index.length - 1;
    for (let slot = digest.readUInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
      const place = index[slot]! - 1;
      if (place < 0) return -1;
      const at = place * knownRowBytes;
      if (this.#rows.compare(digest, 0, to - from, at + from, at + to) === 0) return place;
    }
  }

  #index(index: Int32Array, place: number, from: number): void {
    const mask = index.length - 1;
    let slot = this.#rows.readUInt32LE(place * knownRowBytes + from) & mask;
    while (index[slot] !== 0) slot = (slot + 1) & mask;
    index[slot] = place + 1;
  }

  #reserve(rows: number): void {
    const capacity = roomFor(rows);
    if (capacity <= this.#states.length) return;
    this.#rows = enlarge(this.#rows, Buffer.alloc(capacity * knownRowBytes));
    this.#states = enlarge(this.#states, new Uint8Array(capacity));
    this.#lines = enlarge(this.#lines, new Int32Array(capacity));
    this.#byUser = new Int32Array(capacity * 2);
    for (let place = 0; place < this.#count; place++) this.#index(this.#byUser, place, digestBytes);
  }
}

/** Rows of a mebibyte. */
const pieceRows = Math.floor((1024 * 1024) / knownRowBytes);

function roomFor(rows: number): number {
  let room = 1024;
  while (room < rows) room *= 2;
  return room;
}

function enlarge<T extends Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function isSameForm(one: KnownForm, other: KnownForm): boolean {
  return one.header === other.header && one.orders === other.orders;
}
