/** Each reader of cells, headers, dates, addresses, team lists and files takes linear time for a megabyte of its worst input. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { editDistance } from '../../../config/nearest.js';
import { settingsSchema } from '../../../config/settings.js';
import { RefusalError } from '../../../importer/codes.js';
import { addressAt, cellAt, collapsedAt } from '../../../importer/read/cell.js';
import { planColumns } from '../../../importer/read/columns.js';
import { fitsHeader, surveyRows } from '../../../importer/read/columnsurvey.js';
import { decideOrder, noFacts, readDate, resolveDate } from '../../../importer/read/dates.js';
import { readAs } from '../../../importer/read/encoding.js';
import { convertValue, readBoolean } from '../../../importer/read/fieldvalues.js';
import { guardCell, guardFormula, readCell, unguardFormula } from '../../../importer/read/formulaguard.js';
import { readHeader } from '../../../importer/read/header.js';
import { wordingOf } from '../../../importer/read/labels.js';
import {
  collapse,
  describeInvisible,
  dropInvisible,
  emailKey,
  isEmail,
  isName,
  labelKey,
  nameKey,
  trimCell,
} from '../../../importer/read/normalize.js';
import { type Row, readRows } from '../../../importer/read/parse.js';
import { countLines, isBlank, RaggedError, RecordCutter } from '../../../importer/read/records.js';
import { detectForm } from '../../../importer/read/separator.js';
import { splitTeams } from '../../../importer/read/teamlist.js';
import { readTeam } from '../../../importer/read/teamrow.js';
import { readUser } from '../../../importer/read/userrow.js';
import { decodeText } from '../../../importer/read/utf8text.js';
import { valueRulesOf } from '../../../importer/read/valuerules.js';
import { isShort } from '../../support/databases.js';

const megabyte = 1024 * 1024;
const textBytes = isShort ? megabyte / 4 : megabyte;
/** Processor time for a megabyte: linear readers take 10 to 500 ms, quadratic ones minutes. */
const boundMs = (5_000 * textBytes) / megabyte;

const fill = (unit: string, around: readonly [string, string] = ['', '']) =>
  `${around[0]}${unit.repeat(Math.floor(textBytes / Buffer.byteLength(unit)))}${around[1]}`;

/** Texts of a megabyte (in `npm test` a quarter of it), each the worst for some way of reading. */
const texts: Record<string, string> = {
  'blanks inside': fill(' ', ['é', 'é']),
  'blanks between letters': fill(' x', ['é', '']),
  'runs of blanks': `é${`${' '.repeat(1023)}x`.repeat(1024)}`,
  'blanks around': fill(' ', ['', 'é']),
  'invisible characters inside': fill('\u200b', ['x', 'x']),
  'non-breaking spaces inside': fill('\u00a0', ['x', 'x']),
  'line ends inside': fill('\r\n', ['x', 'x']),
  'lone carriage returns': fill('\r', ['x', 'x']),
  tabs: fill('\t', ['x', 'x']),
  'combining marks out of order': fill('\u0301\u0323', ['a', '']),
  'combining marks out of order, around': fill('\u0301\u0323', ['a ', ' \u200b']),
  'directions that never end': fill('\u202a', ['', 'x']),
  'a direction that ends': fill('x', ['\u202a', '\u202c']),
  quotes: fill('"'),
  'quotes after blanks': `${' '.repeat(megabyte / 2)}x${'"'.repeat(megabyte / 2)}`,
  'quotes between blanks': fill('" '),
  'doubled quotes in a formula': fill('""', ['="', 'x']),
  'a formula that keeps a text': fill('""', ['="', '"']),
  apostrophes: fill("'"),
  'apostrophes and a digit': fill("'", ['', '1x']),
  'equal signs': fill('='),
  commas: fill(','),
  'names and commas': fill('x,'),
  'escaped commas': fill('\\,'),
  backslashes: fill('\\'),
  semicolons: fill(';'),
  digits: fill('1'),
  'digits and slashes': fill('1/'),
  'digits and hyphens': fill('2026-'),
  'at signs': fill('@'),
  'dots after an at sign': fill('.', ['a@', '']),
  'labels of a domain': fill('a.', ['a@', '']),
  'hyphens of a domain': fill('-', ['a@a', 'a!']),
  'a long local part': fill('a', ['', '@']),
  'yes and yes': fill('yes'),
  sigmas: fill('Σ.'),
  'letters of two parts': fill('😀'),
  'halves of letters': fill('\ud83d'),
};

/** The processor's time, which other programs on the machine do not change. */
const processorMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Runs the reader on every text, and names those that took too long. */
function assertQuick(read: (text: string) => unknown): void {
  const slow: string[] = [];
  for (const [name, text] of Object.entries(texts)) {
    const startedMs = processorMs();
    read(text);
    const tookMs = processorMs() - startedMs;
    if (tookMs > boundMs) slow.push(`${name}: ${Math.round(tookMs)} ms`);
  }
  assert.deepEqual(slow, []);
}

const limits = settingsSchema.parse({ maxCellBytes: 4 * megabyte });
const rowOf = (...cells: string[]): Row => ({ line: 2, cells });
const noWording = wordingOf({ options: {} }, []);

const readers: Record<string, (text: string) => unknown> = {
  trimCell,
  dropInvisible,
  describeInvisible,
  collapse,
  emailKey,
  nameKey,
  labelKey,
  isEmail,
  isName,
  'editDistance to a label': (text) => editDistance(labelKey(text), 'useremail', 6),
  readCell,
  guardCell,
  guardFormula,
  unguardFormula,
  cellAt: (text) => cellAt(rowOf(text), 0),
  addressAt: (text) => addressAt(rowOf(text), 0),
  collapsedAt: (text) => collapsedAt(rowOf(text), 0),
  readDate,
  'resolveDate on its own order': (text) => resolveDate(text, decideOrder('auto', noFacts())),
  readBoolean,
  'convertValue to a date': (text) => convertValue(text, 'date', 'mdy'),
  splitTeams,
  fitsHeader: (text) => {
    const header = readHeader({ line: 1, cells: ['User Email'] }, limits);
    return fitsHeader(rowOf('jane@acme.test', text), header);
  },
};

for (const [name, read] of Object.entries(readers))
  test(`${name} reads a megabyte in linear time`, () => assertQuick(read));

const ignoreRefusal = (error: unknown) => {
  if (!(error instanceof RefusalError || error instanceof RaggedError)) throw error;
};

test('readHeader reads labels of a megabyte in linear time', () => {
  for (const key of ['User Email', 'Email'])
    assertQuick((text) => {
      try {
        readHeader({ line: 1, cells: [key, text] }, limits, noWording);
      } catch (error) {
        ignoreRefusal(error);
      }
    });
});

async function* inOne<T>(value: T): AsyncGenerator<T> {
  yield value;
}

const calendar = { today: '2026-03-10', startOfDay: () => 0 };

/** The columns of a users or teams file with one row of these cells. */
async function columnsOf(labels: string[], cells: string[]) {
  const rows = [{ line: 1, cells: labels }, rowOf(...cells)];
  const survey = await surveyRows(inOne(rows), limits, noWording, valueRulesOf({}), () => {});
  return planColumns(survey.header!, survey, [], { dateFormat: 'auto', options: {} }, 0, 100);
}

test('readUser reads cells of a megabyte in linear time', async () => {
  const labels = [
    'User Email',
    'User Name',
    'Manager',
    'Manager Email',
    'Teams',
    'Is Org Admin',
    'Deactivation Date',
    'Own',
  ];
  const columns = await columnsOf(labels, ['jane@acme.test', '', '', '', '', '', '', 'x']);
  assertQuick((text) => readUser(rowOf('jane@acme.test', ...Array(7).fill(text)), columns, calendar, []));
  assertQuick((text) => readUser(rowOf(text), columns, calendar, []));
});

test('readTeam reads cells of a megabyte in linear time', async () => {
  const columns = await columnsOf(['Team Name', 'Owner Email', 'Parent Team', 'Team Type'], ['Sales', '', '', '']);
  assertQuick((text) => readTeam(rowOf('Sales', text, text, text), columns, []));
  assertQuick((text) => readTeam(rowOf(text), columns, []));
});

/** As assertQuick, for readers of a whole file, which refuse some of the texts. */
async function assertQuickFile(read: (bytes: Buffer) => Promise<unknown>): Promise<void> {
  const slow: string[] = [];
  for (const [name, text] of Object.entries(texts)) {
    const startedMs = processorMs();
    await read(Buffer.from(text)).catch(ignoreRefusal);
    const tookMs = processorMs() - startedMs;
    if (tookMs > boundMs) slow.push(`${name}: ${Math.round(tookMs)} ms`);
  }
  assert.deepEqual(slow, []);
}

async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

const drain = async (batches: AsyncIterable<unknown>) => {
  for await (const _ of batches);
};

test('decodeText, detectForm and readAs read a megabyte in linear time', async () => {
  await assertQuickFile((bytes) => drain(decodeText(inPieces(bytes))));
  await assertQuickFile((bytes) => detectForm(decodeText(inPieces(bytes))));
  for (const encoding of ['utf-16', 'windows-1252', 'auto'] as const)
    await assertQuickFile(async (bytes) => {
      const source = { name: 'a.csv', bytes: bytes.length, sha256: '', open: () => inPieces(bytes) };
      await drain((await readAs(source, encoding)).open());
    });
});

test('readRows reads a header, a row, and a quoted cell of a megabyte in linear time', async () => {
  const read = (bytes: Buffer) => drain(readRows(inPieces(bytes), () => inPieces(bytes), limits));
  const header = Buffer.from('User Email,User Name\n');
  await assertQuickFile(read);
  await assertQuickFile((text) => read(Buffer.concat([header, text])));
  await assertQuickFile((text) => read(Buffer.concat([header, Buffer.from('a@b.test,"'), text, Buffer.from('"\n')])));
});

test('RecordCutter cuts a megabyte in linear time', async () => {
  await assertQuickFile(async (bytes) => {
    const cutter = new RecordCutter(4 * megabyte);
    const records = [];
    for await (const piece of inPieces(bytes)) records.push(...cutter.push(piece));
    records.push(...cutter.end());
    for (const record of records) isBlank(record) || countLines(record);
  });
});
