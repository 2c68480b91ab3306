/** Places for work of which a process does a bounded number of pieces at a time. */

/** Takes a place; the function gives it back. null: all are taken. @param busy names of the places that are taken */
export function takePlace(busy: Set<string>, kind: string, most: number): (() => void) | null {
  const place = Array.from({ length: most }, (_, n) => `${kind} ${n}`).find((one) => !busy.has(one));
  if (place === undefined) return null;
  busy.add(place);
  return () => void busy.delete(place);
}
