/** Recognizes the markers by which a sender says that a file is finished: `users.csv.done` or `users.done`. */
import type { Listed } from './place.js';

/** A marker and its file get their times from one clock, but not in one moment. */
const toleranceMs = 2_000;

export function isMarker(name: string, marker: string | null): boolean {
  return marker !== null && name.endsWith(marker) && name !== marker;
}

/** Its marker, unless that is older than the file: then it belongs to an earlier version. null: none. */
export function findMarker(
  { name, mtimeMs }: Listed,
  marker: string,
  markers: ReadonlyMap<string, Listed>,
): string | null {
  const found = markersOf(name, marker).map((one) => markers.get(one));
  return found.find((one) => one !== undefined && one.mtimeMs >= mtimeMs - toleranceMs)?.name ?? null;
}

/** The names that a file's marker may have. */
export function markersOf(name: string, marker: string): string[] {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? [name + marker, name.slice(0, dot) + marker] : [name + marker];
}
