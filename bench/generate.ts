/** Writes users files of any size, the same bytes every time, without holding them in memory. */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface Generated {
  rows: number;
  bytes: number;
  /** Hex. */
  sha256: string;
  /** Distinct teams that the rows name. */
  teams: number;
}

const header =
  'User Email,First Name,Last Name,Manager Email,Teams,User Account Type,Is Org Admin,Employee ID,Location,Start Date\n';
const places = ['Berlin', 'Lisbon', 'New York', 'Singapore', 'São Paulo', 'Nairobi', 'Osaka'];
const maxTeams = 500;
const rowsPerChunk = 2_000;

/**
 * About 111 bytes a row; every manager is a user of the same file, ten people to each.
 * @param movedEvery one row of so many has another place than without it
 */
export async function generateUsers(
  path: string,
  rows: number,
  movedEvery = Number.POSITIVE_INFINITY,
): Promise<Generated> {
  const hash = createHash('sha256');
  let bytes = 0;
  const chunks = function* (): Generator<Buffer> {
    for (const text of generateText(rows, movedEvery)) {
      const chunk = Buffer.from(text);
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  await pipeline(Readable.from(chunks()), createWriteStream(path));
  return { rows, bytes, sha256: hash.digest('hex'), teams: Math.min(rows, maxTeams) };
}

function* generateText(rows: number, movedEvery: number): Generator<string> {
  yield header;
  for (let start = 0; start < rows; start += rowsPerChunk) {
    let text = '';
    for (let index = start; index < Math.min(rows, start + rowsPerChunk); index++)
      text += createRow(index, index % movedEvery === 1);
    yield text;
  }
}

function createRow(index: number, isMoved: boolean): string {
  const manager = index === 0 ? '' : emailOf(Math.floor((index - 1) / 10));
  const day = String((index % 28) + 1).padStart(2, '0');
  const month = String((index % 12) + 1).padStart(2, '0');
  const team = `Team ${String(index % maxTeams).padStart(3, '0')}`;
  const type = index % 9 === 0 ? 'Observer' : 'Regular';
  const employee = String(index).padStart(7, '0');
  const place = isMoved ? 'Bern' : places[index % places.length];
  return `${emailOf(index)},First${index % 997},Last${index % 7919},${manager},${team},${type},,${employee},${place},20${15 + (index % 10)}-${month}-${day}\n`;
}

function emailOf(index: number): string {
  return `user${String(index).padStart(7, '0')}@bench.test`;
}
