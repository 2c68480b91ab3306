/** Plain text as a PDF document (ISO 32000-1) of A4 pages, in a font that every reader has. It has no date: the same text gives the same bytes. */

const page = { width: 595, height: 842, margin: 48, lineHeight: 12, fontSize: 9 };
/** A character of Courier is 0.6 of the font's size wide. */
const columns = Math.floor((page.width - 2 * page.margin) / (0.6 * page.fontSize));
const linesOfPage = Math.floor((page.height - 2 * page.margin) / page.lineHeight);
/** The objects before those of the pages: the catalog, the list of the pages, and the font. */
const firstPage = 4;

/** From 0x80 on, where the encoding WinAnsi (ISO 32000-1, annex D) is not that of Unicode; a dot: no character. */
const special = [...'€.‚ƒ„…†‡ˆ‰Š‹Œ.Ž..‘’“”•–—˜™š›œ.žŸ'];

/** @returns only ASCII characters; a character that the font lacks becomes a question mark */
export function renderPdf(text: string): string {
  const lines = composed(text).trimEnd().split('\n').flatMap(breakLine);
  const pages = Array.from({ length: Math.max(1, Math.ceil(lines.length / linesOfPage)) }, (_, index) =>
    lines.slice(index * linesOfPage, (index + 1) * linesOfPage),
  );
  const pageNumbers = pages.map((_, index) => firstPage + 2 * index);
  return assemble([
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Count ${pages.length} /Kids [${pageNumbers.map((number) => `${number} 0 R`).join(' ')}] >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>',
    ...pages.flatMap((own, index) => [
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 ${page.width} ${page.height}] /Resources << /Font << /F 3 0 R >> >> /Contents ${pageNumbers[index]! + 1} 0 R >>`,
      renderStream(own),
    ]),
  ]);
}

/** Whether a document shows every character of a text. */
export function fitsPdf(text: string): boolean {
  return [...composed(text)].every((character) => character === '\n' || codeOf(character) !== null);
}

/** Letters with their accents in one character: a name that was typed on a Mac may have them in two. */
function composed(text: string): string {
  return text.normalize('NFC');
}

function breakLine(line: string): string[] {
  const characters = [...line];
  const count = Math.max(1, Math.ceil(characters.length / columns));
  return Array.from({ length: count }, (_, index) => characters.slice(index * columns, (index + 1) * columns).join(''));
}

function renderStream(lines: readonly string[]): string {
  const { margin, height, lineHeight, fontSize } = page;
  const shown = lines.map((line) => `(${escapeString(line)}) Tj T*`).join('\n');
  const content = `BT /F ${fontSize} Tf ${lineHeight} TL ${margin} ${height - margin - fontSize} Td\n${shown}\nET`;
  return `<< /Length ${content.length} >>\nstream\n${content}\nendstream`;
}

function escapeString(line: string): string {
  return [...line]
    .map((character) => {
      const code = codeOf(character) ?? '?'.charCodeAt(0);
      const isPlain = code < 0x7f && !'()\\'.includes(character);
      return isPlain ? String.fromCharCode(code) : `\\${code.toString(8).padStart(3, '0')}`;
    })
    .join('');
}

function codeOf(character: string): number | null {
  const code = character.codePointAt(0)!;
  if ((code >= 0x20 && code < 0x7f) || (code >= 0xa0 && code <= 0xff)) return code;
  const place = special.indexOf(character);
  return place < 0 ? null : 0x80 + place;
}

/** The objects, and the table of their places. */
function assemble(objects: readonly string[]): string {
  let text = '%PDF-1.4\n';
  const places = objects.map((object, index) => {
    const place = text.length;
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return `${String(place).padStart(10, '0')} 00000 n \n`;
  });
  const size = objects.length + 1;
  return `${text}xref\n0 ${size}\n0000000000 65535 f \n${places.join('')}trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
}
