/**
 * A text that keeps no other in memory. A cell is a part of the text of its chunk, and keeps all of it (64 KiB) as long as it is kept
 * itself: what outlives its batch is copied.
 */
export function ownText(text: string): string {
  // In UTF-16, as the text is: half of a surrogate pair stays as it is.
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
