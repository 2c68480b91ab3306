/** Rows that are read without csv-parse are those that csv-parse reads: a fuzzer compares the two ways, at every cut of the text. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { settingsSchema } from '../../../config/settings.js';
import { RefusalError } from '../../../importer/codes.js';
import { addressAt, cellAt, collapsedAt } from '../../../importer/read/cell.js';
import { hexOf } from '../../../importer/read/knownrowfilter.js';
import { type Row, readRows } from '../../../importer/read/parse.js';
import { PlainRows } from '../../../importer/read/plainrows.js';
import { readWhole } from '../../../importer/read/rowstream.js';
import { decodeText } from '../../../importer/read/utf8text.js';
import { fc } from '../../support/properties.js';

const limits = settingsSchema.parse({ maxCellBytes: 40, maxColumns: 2 });

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** The rows and the refusal of a file, if it is refused. */
async function read(text: string, size: number, isPlain: boolean): Promise<unknown> {
  const open = () => decodeText(pieces(Buffer.from(text), size));
  const rows: unknown[] = [];
  try {
    for await (const batch of readRows(open(), open, limits, undefined, isPlain))
      for (const { isClean, ...row } of batch) {
        rows.push(row);
        if (isClean === true) checkClean(row);
      }
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    const { code, line } = error.refusal;
    return { code, line };
  }
  return rows;
}

/** Its cells have the values that they would have otherwise. */
function checkClean(row: Row): void {
  for (const valueAt of [cellAt, addressAt, collapsedAt])
    for (const index of row.cells.keys())
      assert.equal(valueAt({ ...row, isClean: true }, index), valueAt(row, index), JSON.stringify(row.cells));
}

/** How many of these bytes are read without csv-parse. */
function plainBytes(text: string): number {
  const bytes = Buffer.from(text);
  const plain = new PlainRows(',', 1000, () => {});
  return bytes.length - (plain.push(bytes)?.length ?? plain.end()?.length ?? 0);
}

const beginnings = fc.constantFrom(
  '',
  'a,b\n',
  'a;b\r\n',
  'sep=;\n',
  'User Email,x\n',
  '\ufeffa,b\n',
  'a\tb\n',
  '"a","b"\n',
  '\n\r\n',
);
const parts = [
  'a',
  'é',
  '😀',
  '"',
  '""',
  ',',
  ',',
  ';',
  '\t',
  '\n',
  '\n',
  '\r\n',
  '\r',
  ' ',
  "'",
  '=',
  '\x7f',
  '"x"',
  '"x, y"',
  ',"a\nb",',
  '\u00a0',
  'sep=',
  'x'.repeat(30),
];

describe('rows without csv-parse', () => {
  test('are those of csv-parse, whatever the text and its pieces', async () => {
    const text = fc.array(fc.constantFrom(...parts), { maxLength: 40 }).map((some) => some.join(''));
    await fc.assert(
      fc.asyncProperty(beginnings, text, fc.integer({ min: 1, max: 80 }), async (beginning, rest, size) => {
        const file = beginning + rest;
        assert.deepEqual(await read(file, size, true), await read(file, size, false));
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 1500) },
    );
  });

  test('a cell that is too long is refused before a later quote that stays open', async () => {
    const text = `${'x'.repeat(70)}\n"`;
    for (const isPlain of [true, false])
      assert.deepEqual(await read(text, 1, isPlain), { code: 'cell_too_large', line: 1 });
  });

  test('are most of those that systems write: quoted cells, quotes in them, newlines in them, CRLF', () => {
    const text = 'a,b\r\n"x","y ""z"""\r\n"1\n2",\n\n"é", ü\n';
    assert.equal(plainBytes(text), Buffer.byteLength(text));
  });

  test('are clean where no cell is trimmed, guarded or beyond ASCII', async () => {
    const found = new Map<string, boolean | undefined>();
    for (const cut of [',', ';', '\t', '|']) {
      const lines = [
        'a,b',
        "x'y, ",
        'x,"y"',
        "'1,x",
        'x,=1',
        'x, y',
        'x ,y',
        'x y,z',
        'x  y,z',
        'é,x',
        'x\v,y',
        ',',
        ',x',
      ];
      const text = Buffer.from(lines.join('\n').replaceAll(',', cut));
      const open = () => pieces(text, text.length);
      for await (const batch of readRows(open(), open, limits))
        for (const { cells, isClean } of batch) found.set(`${cut}${cells.join(',')}`, isClean);
    }
    const clean = [...found].filter(([, isClean]) => isClean === true).map(([row]) => row);
    assert.deepEqual(
      clean,
      [',', ';', '\t', '|'].flatMap((cut) => ['a,b', 'x y,z', ',x'].map((row) => cut + row)),
    );
  });

  for (const [name, odd] of [
    ['a quote within a cell', 'a"b,c\n'],
    ['a blank before a quote', ' "a",b\n'],
    ['a blank behind a quote', '"a" ,b\n'],
    ['a CR alone', 'a\rb,c\n'],
    ['a CR at the end', 'a,b\r'],
    ['a quote that is not closed', '"a,b\n'],
    ['a record that is too long', `${'x'.repeat(2000)}\n`],
  ])
    test(`end before ${name}`, () => assert.equal(plainBytes(`a,b\n"1",2\n${odd}`), 10));

  test('end before a long record that goes on over many pieces, which would read it again with each', () => {
    const plain = new PlainRows(',', 2_000_000, () => {});
    assert.equal(plain.push(Buffer.from(`a,b\n"${'""'.repeat(30_000)}`)), null);
    assert.equal(plain.push(Buffer.from('""'.repeat(5_000)))?.length, 70_001);
  });

  test('have the digests of their bytes, also where csv-parse reads the rest', async () => {
    const text = 'a,b\r\n"é",1\r\nx,y\n "p",q\nlast,z';
    const source = { open: () => pieces(Buffer.from(text), 9), bytes: 0, name: '', sha256: '' } as never;
    const reading = readWhole(source, limits);
    const digests: string[] = [];
    for await (const batch of reading.openDigested())
      digests.push(...batch.map(({ digest }) => (digest === null ? '' : hexOf(digest))));
    const expected = text.split(/\r?\n/).map((line) => createHash('sha256').update(line).digest('hex'));
    assert.deepEqual(digests, expected);
    assert.equal(reading.isSure(), true);
  });
});
