/**
 * Keeps in their order the changes that writers make to one content, so that the changes of any of them can be left out.
 * It knows positions and lengths; the bytes are where each writer keeps its own.
 */
import { SpaceError } from '../storage/types.js';

/** Bytes of a content: of a writer's own, of the base, or zeros. */
export interface Piece<W> {
  source: W | 'base' | 'zeros';
  /** In the source. */
  from: number;
  length: number;
}

interface Range {
  at: number;
  /** Offset of the bytes among those of their writer. */
  own: number;
  length: number;
}

/** Consecutive changes of one writer, by position. */
interface Patch<W> {
  kind: 'patch';
  writer: W;
  /** The lowest size that was set: the layers below end there. null: none was. */
  cut: number | null;
  /** The content is at least so long: zeros fill it. */
  grown: number;
  /** In order, and never overlapping. */
  ranges: Range[];
}

/** Bytes that come after everything below. */
interface Append<W> {
  kind: 'append';
  writer: W;
  own: number;
  length: number;
}

type Layer<W> = Patch<W> | Append<W>;

/** Bounds: two writers that take turns make a layer each time. */
const mostLayers = 4096;
const mostRanges = 65_536;

export class Layers<W> {
  #layers: Layer<W>[] = [];
  /** Layers and their ranges. */
  #parts = 0;

  /** What it remembers, in objects of about equal size. */
  get parts(): number {
    return this.#parts;
  }

  /** Whether every change is of this writer. */
  areOnlyOf(writer: W): boolean {
    return this.#layers.every((layer) => layer.writer === writer);
  }

  has(writer: W): boolean {
    return this.#layers.some((layer) => layer.writer === writer);
  }

  /** The bytes are at `own` among the writer's. `at` null: after everything else. @throws SpaceError `unsupported` */
  write(writer: W, at: number | null, own: number, length: number): void {
    if (at === null) {
      this.#append(writer, own, length);
      return;
    }
    const patch = this.#patchFor(writer, at, at + length);
    if (patch.ranges.length >= mostRanges) throw tooMany();
    this.#parts -= patch.ranges.length;
    insertRange(patch.ranges, { at, own, length });
    this.#parts += patch.ranges.length;
  }

  /** @throws SpaceError `unsupported` */
  resize(writer: W, size: number): void {
    const top = this.#layers.at(-1);
    const patch = top?.kind === 'patch' && top.writer === writer ? top : this.#push(newPatch(writer));
    patch.cut = Math.min(patch.cut ?? size, size);
    patch.grown = size;
    this.#parts -= patch.ranges.length;
    patch.ranges = cutRanges(patch.ranges, size);
    this.#parts += patch.ranges.length;
  }

  drop(isDropped: (writer: W) => boolean): void {
    this.#layers = this.#layers.filter(({ writer }) => !isDropped(writer));
    this.#parts = this.#layers.reduce((sum, layer) => sum + 1 + (layer.kind === 'patch' ? layer.ranges.length : 0), 0);
  }

  /** The whole content, without the changes of writers that do not count. */
  compose(baseBytes: number, counts: (writer: W) => boolean): Piece<W>[] {
    let pieces: Piece<W>[] = baseBytes === 0 ? [] : [{ source: 'base', from: 0, length: baseBytes }];
    for (const layer of this.#layers) {
      if (!counts(layer.writer)) continue;
      if (layer.kind === 'append') addPiece(pieces, { source: layer.writer, from: layer.own, length: layer.length });
      else pieces = lay(pieces, layer);
    }
    return pieces;
  }

  #append(writer: W, own: number, length: number): void {
    for (let index = this.#layers.length - 1; index >= 0; index--) {
      const layer = this.#layers[index]!;
      if (layer.kind !== 'append') break;
      if (layer.writer !== writer) {
        // Bytes of others that came between: only when there are too many layers do a writer's appends come together.
        if (this.#layers.length < mostLayers) break;
        continue;
      }
      if (layer.own + layer.length !== own) break;
      layer.length += length;
      return;
    }
    this.#push({ kind: 'append', writer, own, length });
  }

  /** The writer's own layer, if nothing above it has to do with these bytes. */
  #patchFor(writer: W, at: number, end: number): Patch<W> {
    for (let index = this.#layers.length - 1; index >= 0; index--) {
      const layer = this.#layers[index]!;
      if (layer.kind === 'append') break;
      if (layer.writer === writer) return layer;
      if (layer.cut !== null || touches(layer.ranges, at, end)) break;
    }
    return this.#push(newPatch(writer));
  }

  #push<L extends Layer<W>>(layer: L): L {
    if (this.#layers.length >= mostLayers) throw tooMany();
    this.#layers.push(layer);
    this.#parts++;
    return layer;
  }
}

export function sizeOf(pieces: readonly Piece<unknown>[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** The parts of pieces that lie from `offset` on, `length` bytes in all. */
export function* slicePieces<W>(pieces: readonly Piece<W>[], offset: number, length: number): Generator<Piece<W>> {
  const end = offset + length;
  let at = 0;
  for (const piece of pieces) {
    const [from, to] = [Math.max(offset, at), Math.min(end, at + piece.length)];
    if (from < to) yield { source: piece.source, from: startOf(piece, from - at), length: to - from };
    at += piece.length;
    if (at >= end) return;
  }
}

function newPatch<W>(writer: W): Patch<W> {
  return { kind: 'patch', writer, cut: null, grown: 0, ranges: [] };
}

function tooMany(): SpaceError {
  return new SpaceError('unsupported', 'too many separate writes of several writers to one file');
}

function startOf({ source, from }: Piece<unknown>, skipped: number): number {
  return source === 'zeros' ? 0 : from + skipped;
}

/** Adds a piece at the end, to the one before where it continues it. */
function addPiece<W>(pieces: Piece<W>[], piece: Piece<W>): void {
  if (piece.length <= 0) return;
  const last = pieces.at(-1);
  const continues =
    last?.source === piece.source && (last.source === 'zeros' || last.from + last.length === piece.from);
  if (last !== undefined && continues) pieces[pieces.length - 1] = { ...last, length: last.length + piece.length };
  else pieces.push(piece);
}

function lay<W>(below: readonly Piece<W>[], { writer, cut, grown, ranges }: Patch<W>): Piece<W>[] {
  const kept = cut === null ? [...below] : [...slicePieces(below, 0, cut)];
  const last = ranges.at(-1);
  const end = Math.max(grown, last === undefined ? 0 : last.at + last.length);
  addPiece(kept, { source: 'zeros', from: 0, length: end - sizeOf(kept) });
  const pieces: Piece<W>[] = [];
  const rest = new Cursor(kept);
  for (const range of ranges) {
    for (const piece of rest.take(range.at)) addPiece(pieces, piece);
    rest.skip(range.at + range.length);
    addPiece(pieces, { source: writer, from: range.own, length: range.length });
  }
  for (const piece of rest.take(Number.POSITIVE_INFINITY)) addPiece(pieces, piece);
  return pieces;
}

/** Walks once along pieces. */
class Cursor<W> {
  readonly #pieces: readonly Piece<W>[];
  #index = 0;
  /** Of the piece at the index. */
  #start = 0;
  #at = 0;

  constructor(pieces: readonly Piece<W>[]) {
    this.#pieces = pieces;
  }

  *take(until: number): Generator<Piece<W>> {
    for (; this.#index < this.#pieces.length && this.#at < until; this.#next()) {
      const piece = this.#pieces[this.#index]!;
      const end = Math.min(until, this.#start + piece.length);
      const length = end - this.#at;
      if (length > 0) yield { source: piece.source, from: startOf(piece, this.#at - this.#start), length };
      this.#at = Math.max(this.#at, end);
      if (end < this.#start + piece.length) return;
    }
  }

  skip(until: number): void {
    for (const _ of this.take(until));
  }

  #next(): void {
    this.#start += this.#pieces[this.#index]!.length;
    this.#index++;
  }
}

function touches(ranges: readonly Range[], at: number, end: number): boolean {
  const range = ranges[indexEndingAfter(ranges, at)];
  return range !== undefined && range.at < end;
}

/** Puts a range over those that it overlaps. */
function insertRange(ranges: Range[], range: Range): void {
  const end = range.at + range.length;
  const last = ranges.at(-1);
  // Nearly always: the next write of a client that sends from start to end.
  if (last !== undefined && last.at + last.length === range.at && last.own + last.length === range.own) {
    last.length += range.length;
    return;
  }
  const first = indexEndingAfter(ranges, range.at);
  let after = first;
  while (after < ranges.length && ranges[after]!.at < end) after++;
  const over = ranges.slice(first, after);
  const before = over.slice(0, 1).flatMap((one) => part(one, one.at, range.at));
  const behind = over.slice(-1).flatMap((one) => part(one, end, one.at + one.length));
  const merged = join([
    ...ranges.slice(Math.max(0, first - 1), first),
    ...before,
    range,
    ...behind,
    ...ranges.slice(after, after + 1),
  ]);
  ranges.splice(Math.max(0, first - 1), Math.min(first, 1) + over.length + (after < ranges.length ? 1 : 0), ...merged);
}

function join(ranges: readonly Range[]): Range[] {
  const joined: Range[] = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && last.at + last.length === range.at && last.own + last.length === range.own)
      last.length += range.length;
    else joined.push({ ...range });
  }
  return joined;
}

function cutRanges(ranges: readonly Range[], size: number): Range[] {
  return ranges.flatMap((range) => part(range, range.at, Math.min(size, range.at + range.length)));
}

/** The part of a range from one position to another; none when it is empty. */
function part({ at, own, length }: Range, from: number, to: number): Range[] {
  const [start, end] = [Math.max(at, from), Math.min(at + length, to)];
  return start < end ? [{ at: start, own: own + start - at, length: end - start }] : [];
}

function indexEndingAfter(ranges: readonly Range[], offset: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.at + ranges[middle]!.length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
