/** Finds the separator of a file's cells: a `sep=` line names it, or the header line shows it (rule F3). */
import { labelKey } from './normalize.js';

const delimiters = [',', ';', '\t', '|'] as const;
/** The longest header line that is looked at. */
export const headerBytes = 64 * 1024;

/** Excel's own first line; programs that write the file again put it into quotes, and empty cells behind it. */
const excelLine = /^("?)sep=([,;\t|])\1\2*(?:\r\n|\n|\r)/i;

export interface Beginning {
  delimiter: string;
  /** The length of the `sep=` line; 0: there is none. */
  bytes: number;
}

/** `sep=;` names the delimiter; otherwise the header line decides. */
export function findDelimiter(start: Buffer): Beginning {
  const named = excelLine.exec(start.subarray(0, 4096).toString('latin1'));
  if (named === null) return { delimiter: guessDelimiter(start), bytes: 0 };
  return { delimiter: named[2]!, bytes: named[0].length };
}

/** How a file is written, so that the file of its rejected rows can be written in the same way. */
export interface Form {
  delimiter: string;
  /** Excel's own first line; empty where there is none. */
  first: string;
}

/** @param chunks as readRows takes them. */
export async function detectForm(chunks: AsyncIterable<Buffer>): Promise<Form> {
  const start: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    start.push(chunk);
    bytes += chunk.length;
    if (bytes >= headerBytes || chunk.includes(10)) break;
  }
  const text = Buffer.concat(start);
  const found = findDelimiter(text);
  return { delimiter: found.delimiter, first: found.bytes > 0 ? `sep=${found.delimiter}\r\n` : '' };
}

/** The delimiter with which the header has a key column; otherwise the one that it has most often. */
function guessDelimiter(start: Buffer): string {
  const text = start.subarray(0, headerBytes).toString('utf8').trimStart();
  const header = text.split(/\r?\n|\r/, 1)[0]!.replaceAll('"', '');
  const known = delimiters.find((one) =>
    header.split(one).some((label) => ['useremail', 'teamname'].includes(labelKey(label))),
  );
  if (known !== undefined) return known;
  const byCount = [...delimiters].sort((a, b) => header.split(b).length - header.split(a).length);
  return byCount[0]!;
}
