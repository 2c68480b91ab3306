/** Writes the reports on one file, sealed to its organization: its findings, and its rejected rows (rule R1). */
import type { Paths } from '../../config/paths.js';
import type { Settings } from '../../config/settings.js';
import type { OrgOptions } from '../../db/control/orgoptions.js';
import type { Stage } from '../../db/stage.js';
import { type ByteSink, encryptTo } from '../../keys/pgp/encrypt.js';
import { createBlob } from '../../storage/blobs.js';
import type { SealedBlob } from '../../storage/sealedwriter.js';
import { makeIssue, RefusalError } from '../codes.js';
import { contactOf, nameContact } from '../contact.js';
import type { StagedIssue } from '../plan/issuelog.js';
import type { PlannedFile } from '../plan/planfile.js';
import { hasMark } from '../read/encoding.js';
import { guardCell, guardFormula, keepCell, readCell } from '../read/formulaguard.js';
import { countOwn } from '../read/header.js';
import { rejectedLabels } from '../read/labels.js';
import { labelKey } from '../read/normalize.js';
import type { Row } from '../read/parse.js';
import { detectForm, type Form } from '../read/separator.js';
import type { Source } from '../read/source.js';
import { decodeText } from '../read/utf8text.js';
import { isAlwaysMarked, toCsv } from './csv.js';
import { listFaultyLines, listIssues } from './findings.js';
import { MarkedText } from './markedtext.js';
import type { ReportRoom } from './room.js';

/** In the archive a report has a second name, which counts as much. */
const names = 2;

/** To whom a report is sealed. */
export type SealDeps = Pick<ReportDeps, 'paths' | 'recipient' | 'encryptTo'>;

export interface ReportDeps {
  settings: Settings;
  paths: Paths;
  stage: Stage;
  /** `age1…` of the organization. */
  recipient: string;
  /** The customer's PGP key in armor, to which the report is encrypted inside the seal; null or absent: none. */
  encryptTo?: string | null;
  options: OrgOptions;
  /** Shared by the reports that are written together. */
  room: ReportRoom;
}

/**
 * The refusals, faults and warnings of a file: line, column, severity, code, message, value; separated as the file is. It ends
 * where the organization has no storage left.
 */
export async function writeReport(deps: ReportDeps, file: number, source: Source): Promise<SealedBlob> {
  const { isMarked, delimiter } = await readForm(source, deps.options);
  const contact = contactOf(deps, deps.settings);
  return writeMarked(deps, isMarked, async (text) => {
    await text.write(toCsv([['line', 'column', 'severity', 'code', 'message', 'value']], delimiter));
    for await (const page of listIssues(deps.stage, file)) {
      const lines = toCsv(
        page.map((issue) => toCells(issue, contact)),
        delimiter,
      );
      deps.room.leftBytes -= names * Buffer.byteLength(lines);
      if (deps.room.leftBytes < 0) {
        const ending = { file, ...makeIssue('report_shortened', { line: null }) };
        await text.write(toCsv([toCells(ending, contact)], delimiter));
        return;
      }
      await text.write(lines);
    }
  });
}

/** Whether the organization has storage for the file of rejected rows, which is at most a little longer than the file. */
export function hasRoomForRejected({ room }: Pick<ReportDeps, 'room'>, source: Source): boolean {
  const bytes = source.plainBytes?.() ?? source.bytes;
  if (room.leftBytes < names * bytes) return false;
  room.leftBytes -= names * bytes;
  return true;
}

function toCells(
  { line, column, severity, code, message, value }: StagedIssue,
  contact: ReturnType<typeof contactOf>,
): (string | number)[] {
  const text = guardFormula(nameContact(message, contact));
  return [line ?? '', guardFormula(column ?? ''), severity, code, text, guardFormula(value ?? '')];
}

/**
 * The faulty rows under the original header, to be mended and sent again, each with its reasons and its line in two last columns; the
 * file is read once more for them. They are written in the file's own form, so that the program that opened the file opens them and
 * loses no letter. Only cells that a spreadsheet would run as formulas or change are guarded.
 */
export async function writeRejected(
  deps: ReportDeps,
  file: number,
  source: Source,
  planned: PlannedFile,
): Promise<SealedBlob> {
  const { isMarked, first, delimiter } = await readForm(source, deps.options);
  const contact = contactOf(deps, deps.settings);
  const { header } = planned;
  const own = countOwn(header);
  const identifier = deps.options.identifier === undefined ? null : labelKey(deps.options.identifier);
  const form = { delimiter, own, columns: header.length, isIdentifier: header.map(isIdentifierOf(identifier)) };
  return writeMarked(deps, isMarked, async (text) => {
    const labels = [...header.slice(0, own).map(guardCell), rejectedLabels.problem, rejectedLabels.line];
    await text.write(first + toCsv([labels], delimiter));
    const faulty = listFaultyLines(deps.stage, file);
    let next = await faulty.next();
    for await (const batch of planned.open()) {
      const rejected: string[] = [];
      for (const row of batch) {
        if (next.done === true) break;
        if (row.line !== next.value.line) continue;
        const problem = next.value.messages.map((message) => nameContact(message, contact)).join(' ');
        rejected.push(toRejected(row, [guardFormula(problem), String(row.line)], form));
        next = await faulty.next();
      }
      await text.write(rejected.join(''));
      if (next.done === true) break;
    }
  });
}

function isIdentifierOf(identifier: string | null): (label: string) => boolean {
  return (label) => identifier !== null && labelKey(readCell(label)) === identifier;
}

interface RejectedForm {
  delimiter: string;
  /** Columns of the file's own, and all columns of its header. */
  own: number;
  columns: number;
  /** By column. */
  isIdentifier: readonly boolean[];
}

/**
 * A row with faulty quotes is written as it was sent, for its sender to mend; a short one is filled with blank cells. Reasons that it came
 * back with are left out.
 */
function toRejected({ cells, faulty }: Row, reasons: [string, string], form: RejectedForm): string {
  const { delimiter, own, columns, isIdentifier } = form;
  const isBack = own < columns;
  if (faulty !== undefined) {
    const sent = isBack ? dropReasons(faulty, reasons[0], delimiter) : faulty;
    return `${guardLine(sent, delimiter)}${delimiter}${toCsv([reasons], delimiter)}`;
  }
  const hasReasons = isBack && cells.at(-2) === reasons[0] && isNumber(cells.at(-1)!);
  const present = cells.length <= columns ? cells.slice(0, own) : hasReasons ? cells.slice(0, -2) : cells;
  const kept = present.map((cell, index) => keepCell(cell, isIdentifier[index]));
  const missing = Array<string>(Math.max(own - kept.length, 0)).fill('');
  return toCsv([[...kept, ...missing, ...reasons]], delimiter);
}

function dropReasons(line: string, problem: string, delimiter: string): string {
  const reason = delimiter + toCsv([[problem]], delimiter).trimEnd() + delimiter;
  const at = line.lastIndexOf(reason);
  return at > 0 && isNumber(line.slice(at + reason.length)) ? line.slice(0, at) : line;
}

function isNumber(text: string): boolean {
  return /^\d+$/.test(text);
}

/** Programs differ in where a cell of such a line begins: each place where it may is guarded. */
function guardLine(line: string, delimiter: string): string {
  const guard = (piece: string) => (piece.startsWith('"') ? `"${guardCell(piece.slice(1))}` : guardCell(piece));
  return line.split(delimiter).map(guard).join(delimiter);
}

/** A CSV of any length, in pieces. */
export async function writePieces(deps: SealDeps, pieces: AsyncIterable<string>): Promise<SealedBlob> {
  return writeMarked(deps, false, async (text) => {
    for await (const piece of pieces) await text.write(piece);
  });
}

export async function writeText(deps: SealDeps, text: string): Promise<SealedBlob> {
  return writeBlob(deps, (writer) => writer.write(Buffer.from(text)));
}

/** The standard form for a file that is not text or can't be read. */
async function readForm(source: Source, options: OrgOptions): Promise<Form & { isMarked: boolean }> {
  const isMarked = (await hasMark(source)) || isAlwaysMarked(options);
  const form = await detectForm(decodeText(source.open())).catch((error: Error) => {
    if (error instanceof RefusalError) return { delimiter: ',', first: '' };
    throw error;
  });
  return { ...form, isMarked };
}

/** A CSV: it has a byte order mark where it needs one. */
function writeMarked(
  deps: SealDeps,
  isMarked: boolean,
  fill: (text: MarkedText) => Promise<void>,
): Promise<SealedBlob> {
  return writeBlob(deps, async (writer) => {
    const text = new MarkedText(writer, isMarked);
    await fill(text);
    await text.end();
  });
}

async function writeBlob(
  { paths, recipient, encryptTo: key = null }: SealDeps,
  fill: (writer: ByteSink) => Promise<void>,
): Promise<SealedBlob> {
  const writer = await createBlob(paths, recipient);
  try {
    if (key === null) await fill(writer);
    else {
      const encrypted = await encryptTo(key, writer);
      await fill(encrypted);
      await encrypted.end();
    }
    return await writer.finish();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/** The name of a report says that it is encrypted. */
export function nameSealed(name: string, { encryptTo: key = null }: Pick<SealDeps, 'encryptTo'>): string {
  return key === null ? name : `${name}.pgp`;
}
