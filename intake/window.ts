/** Keeps writes that arrived ahead of their turn in memory, up to a limit, until the gap before them is filled. */
import type { MemoryShare } from './memory.js';

interface Piece {
  offset: number;
  bytes: Buffer;
}

/** The cost of a piece beside its bytes, so that a million pieces of one byte are not free. */
const pieceBytes = 256;

export class Window {
  readonly #limitBytes: number;
  readonly #memory: Pick<MemoryShare, 'take' | 'release'>;
  /** In order and never overlapping: a later write has cut the pieces that it overlaps. */
  #pieces: Piece[] = [];
  #heldBytes = 0;

  constructor(limitBytes: number, memory: Pick<MemoryShare, 'take' | 'release'>) {
    this.#limitBytes = limitBytes;
    this.#memory = memory;
  }

  /** Where the first piece begins; null: nothing waits. */
  get first(): number | null {
    return this.#pieces[0]?.offset ?? null;
  }

  /**
   * Keeps a copy of `bytes`, over earlier pieces. Else nothing was kept: `full`, as the limit of this window is reached; `busy`,
   * as the organization has no memory left.
   */
  put(offset: number, bytes: Buffer): 'kept' | 'full' | 'busy' {
    // At most: the new piece, and a second part of a piece that it cuts in two.
    const most = bytes.length + 2 * pieceBytes;
    if (this.#heldBytes + bytes.length + pieceBytes > this.#limitBytes) return 'full';
    if (!this.#memory.take(most)) return 'busy';
    const end = offset + bytes.length;
    const from = this.#indexEndingAfter(offset);
    let to = from;
    while (to < this.#pieces.length && this.#pieces[to]!.offset < end) to++;
    const overlapped = this.#pieces.slice(from, to);
    const replacing = [
      ...overlapped.slice(0, 1).flatMap((piece) => sliceOf(piece, piece.offset, offset)),
      { offset, bytes: Buffer.from(bytes) },
      ...overlapped.slice(-1).flatMap((piece) => sliceOf(piece, end, endOf(piece))),
    ];
    this.#pieces.splice(from, to - from, ...replacing);
    this.#hold(costOf(replacing) - costOf(overlapped), most);
    return 'kept';
  }

  /** Removes and returns the piece at `offset`, from there on; null: no piece covers it. */
  take(offset: number): Buffer | null {
    for (;;) {
      const piece = this.#pieces[0];
      if (piece === undefined || piece.offset > offset) return null;
      this.#pieces.shift();
      this.#hold(-costOf([piece]));
      if (endOf(piece) > offset) return piece.bytes.subarray(offset - piece.offset);
    }
  }

  /** Drops everything from `size` on. */
  cut(size: number): void {
    const index = this.#indexEndingAfter(size);
    const dropped = this.#pieces.splice(index);
    const kept = dropped.slice(0, 1).flatMap((piece) => sliceOf(piece, piece.offset, size));
    this.#pieces.push(...kept);
    this.#hold(costOf(kept) - costOf(dropped));
  }

  /** Drops everything, for good. */
  clear(): void {
    this.cut(0);
  }

  /** `taken`: bytes that were taken from the account for it. */
  #hold(bytes: number, taken = 0): void {
    this.#heldBytes += bytes;
    if (bytes !== taken) this.#memory.release(taken - bytes);
  }

  /** Lays the pieces over `target`, which stands for the file from `offset` on. */
  overlay(target: Buffer, offset: number): void {
    const end = offset + target.length;
    for (let index = this.#indexEndingAfter(offset); index < this.#pieces.length; index++) {
      const piece = this.#pieces[index]!;
      if (piece.offset >= end) return;
      piece.bytes.copy(target, Math.max(0, piece.offset - offset), Math.max(0, offset - piece.offset));
    }
  }

  #indexEndingAfter(offset: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endOf(this.#pieces[middle]!) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function endOf(piece: Piece): number {
  return piece.offset + piece.bytes.length;
}

/** A copy, or else one byte of a piece would keep all of it in memory. */
function sliceOf(piece: Piece, from: number, to: number): Piece[] {
  if (from >= to) return [];
  return [{ offset: from, bytes: Buffer.from(piece.bytes.subarray(from - piece.offset, to - piece.offset)) }];
}

function costOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + piece.bytes.length + pieceBytes, 0);
}
