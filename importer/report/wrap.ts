/** Breaks the lines of texts for people between words, so that they fit 80 columns. */

const width = 80;

/** A word with the blanks before it; texts in quotes belong to the word that they are in: `(column C, "first name")`. */
const words = / *(?:[^ "]|"(?:\\.|[^"\\])*"|")+/g;

/**
 * The line in pieces of at most 80 columns, unless a word is longer. A text in quotes is not broken: it may be from outside, and can't
 * begin a line. Pieces after the first are indented by two columns more than it, or by `indent`.
 */
export function wrapLine(line: string, indent?: number): string[] {
  if (line.length <= width) return [line];
  const start = line.length - line.trimStart().length;
  const lines: string[] = [];
  let piece = '';
  for (const [word] of line.matchAll(words)) {
    if (piece !== '' && piece.length + word.length > width) {
      lines.push(piece);
      piece = ' '.repeat(indent ?? start + 2) + word.trimStart();
    } else piece += word;
  }
  return [...lines, piece];
}
