/** Writes the reports on one file, sealed to its organization: its findings, and its rejected rows (rule R1). */
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { OrgOptions } from '../../db/control/importoptions.js';
import type { Stage } from '../../db/stage.js';
import { createBlob } from '../../storage/blobs.js';
import type { BlobWriter, SealedBlob } from '../../storage/sealedwriter.js';
import { RefusalError } from '../codes.js';
import type { PlannedFile } from '../plan/planfile.js';
import { hasMark } from '../read/encoding.js';
import { decodeText } from '../read/filetype.js';
import { guardCell, guardFormula } from '../read/formula.js';
import { detectForm, type Form, type Row } from '../read/parse.js';
import type { Source } from '../read/source.js';
import { byteOrderMark, markOf, toCsv } from './csv.js';
import { listFaultyLines, listIssues } from './findings.js';

export interface ReportDeps {
  settings: Settings;
  paths: Paths;
  stage: Stage;
  /** `age1…` of the organization. */
  recipient: string;
  options: OrgOptions;
}

/** Every refusal, fault and warning of a file: line, column, severity, code, message, value; separated as the file is. */
export async function writeReport(deps: ReportDeps, file: number, source: Source): Promise<SealedBlob> {
  const { mark, delimiter } = await readForm(source, deps.options);
  return writeBlob(deps, async (writer) => {
    await writer.write(Buffer.from(mark));
    await writeRows(writer, [['line', 'column', 'severity', 'code', 'message', 'value']], delimiter);
    for await (const page of listIssues(deps.stage, file)) {
      const cells = page.map(({ line, column, severity, code, message, value }) => [
        line ?? '',
        guardFormula(column ?? ''),
        severity,
        code,
        guardFormula(message),
        guardFormula(value ?? ''),
      ]);
      await writeRows(writer, cells, delimiter);
    }
  });
}

/**
 * The faulty rows under the original header, to be mended and sent again; the file is read once more for them. They are
 * written in the file's own form, so that the program that opened the file opens them and loses no letter. Only cells that a
 * spreadsheet would run as formulas are guarded.
 */
export async function writeRejected(
  deps: ReportDeps,
  file: number,
  source: Source,
  planned: PlannedFile,
): Promise<SealedBlob> {
  const { mark, first, delimiter } = await readForm(source, deps.options);
  return writeBlob(deps, async (writer) => {
    await writer.write(Buffer.from(mark + first + toCsv([planned.header.map(guardCell)], delimiter)));
    const faulty = listFaultyLines(deps.stage, file);
    let next = await faulty.next();
    for await (const batch of planned.open()) {
      const rejected: Row[] = [];
      for (const row of batch) {
        if (next.done === true) break;
        if (row.line !== next.value) continue;
        rejected.push(row);
        next = await faulty.next();
      }
      await writer.write(Buffer.from(toRejected(rejected, delimiter)));
      if (next.done === true) break;
    }
  });
}

/** A row with faulty quotes is written as it was sent, for its sender to mend. */
function toRejected(rows: readonly Row[], delimiter: string): string {
  const texts: string[] = [];
  let sound: string[][] = [];
  for (const { cells, faulty } of rows) {
    if (faulty === undefined) sound.push(cells.map(guardCell));
    else {
      texts.push(toCsv(sound, delimiter), `${guardLine(faulty, delimiter)}\r\n`);
      sound = [];
    }
  }
  return texts.join('') + toCsv(sound, delimiter);
}

/** Programs differ in where a cell of such a line begins: each place where it may is guarded. */
function guardLine(line: string, delimiter: string): string {
  const guard = (piece: string) => (piece.startsWith('"') ? `"${guardCell(piece.slice(1))}` : guardCell(piece));
  return line.split(delimiter).map(guard).join(delimiter);
}

/** A text of any length, in pieces. */
export async function writePieces(
  deps: Pick<ReportDeps, 'paths' | 'recipient'>,
  pieces: AsyncIterable<string>,
): Promise<SealedBlob> {
  return writeBlob(deps, async (writer) => {
    for await (const piece of pieces) await writer.write(Buffer.from(piece));
  });
}

export async function writeText(deps: Pick<ReportDeps, 'paths' | 'recipient'>, text: string): Promise<SealedBlob> {
  return writeBlob(deps, (writer) => writer.write(Buffer.from(text)));
}

/** The standard form for a file that is not text or can't be read. */
async function readForm(source: Source, options: OrgOptions): Promise<Form & { mark: string }> {
  const mark = (await hasMark(source)) ? byteOrderMark : markOf(options);
  const form = await detectForm(decodeText(source.open())).catch((error: Error) => {
    if (error instanceof RefusalError) return { delimiter: ',', first: '' };
    throw error;
  });
  return { ...form, mark };
}

async function writeBlob(
  { paths, recipient }: Pick<ReportDeps, 'paths' | 'recipient'>,
  fill: (writer: BlobWriter) => Promise<void>,
): Promise<SealedBlob> {
  const writer = await createBlob(paths, recipient);
  try {
    await fill(writer);
    return await writer.finish();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

async function writeRows(writer: BlobWriter, rows: (string | number)[][], delimiter: string): Promise<void> {
  if (rows.length > 0) await writer.write(Buffer.from(toCsv(rows, delimiter)));
}
