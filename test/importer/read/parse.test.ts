/** Reading: bytes to rows with their lines, however the bytes are cut; and what is refused, where. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { settingsSchema } from '../../../config/settings.js';
import { RefusalError } from '../../../importer/codes.js';
import { decodeText } from '../../../importer/read/filetype.js';
import { type Row, readRows } from '../../../importer/read/parse.js';

const limits = settingsSchema.parse({ maxCellBytes: 1000 });

/** The rows of a file that arrives in pieces of `size` bytes. */
async function rowsOf(content: string | Buffer, size = 65_536): Promise<Row[]> {
  const bytes = Buffer.from(content);
  const open = () => decodeText(pieces(bytes, size));
  const rows: Row[] = [];
  for await (const batch of readRows(open(), open, limits)) rows.push(...batch);
  return rows;
}

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function refusalOf(content: string | Buffer, size?: number) {
  const error = await rowsOf(content, size).then(
    () => assert.fail('it was not refused'),
    (cause) => cause,
  );
  assert.ok(error instanceof RefusalError, String(error));
  const { code, line, message } = error.refusal;
  return { code, line, message };
}

describe('rows', () => {
  test('lines are those of the file, with newlines in cells, blank lines, LF and CRLF', async () => {
    const text = 'a,b\r\n"1\r\n2\n3",x\n\n  \n,\nlast,"y"';
    assert.deepEqual(await rowsOf(text), [
      { line: 1, cells: ['a', 'b'] },
      { line: 2, cells: ['1\r\n2\n3', 'x'] },
      { line: 8, cells: ['last', 'y'] },
    ]);
  });

  test('how the bytes are cut makes no difference', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '"', ',', '\n', ' ', '\r\n'), maxLength: 6 });
    const table = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(table, fc.integer({ min: 1, max: 7 }), async (cells, size) => {
        const text = stringify([['x', 'y', 'z'], ...cells], { quoted: true });
        const whole = await rowsOf(text);
        assert.deepEqual(await rowsOf(text, size), whole);
        const kept = cells.filter((row) => row.some((value) => value.trim() !== ''));
        assert.deepEqual(
          whole.slice(1).map((row) => row.cells),
          kept,
        );
      }),
      { numRuns: 200 },
    );
  });

  for (const [name, delimiter] of [
    ['comma', ','],
    ['semicolon', ';'],
    ['tab', '\t'],
    ['pipe', '|'],
  ] as const) {
    test(`${name} is recognized from the header`, async () => {
      const text =
        ['Office', 'User Email', 'Note'].join(delimiter) +
        '\n' +
        ['x', 'a@b.test', 'p, q'].map((cell) => `"${cell}"`).join(delimiter);
      assert.deepEqual((await rowsOf(text, 5))[1]!.cells, ['x', 'a@b.test', 'p, q']);
    });
  }

  test('the line sep=; is no row, whatever ends it', async () => {
    for (const end of ['\n', '\r\n', '\r'])
      for (const first of ['sep=;', '"sep=;"', 'SEP=;', 'sep=;;;', '"sep=;";;'])
        assert.deepEqual(await rowsOf([first, 'a;b,c', 'x;y'].join(end), 3), [
          { line: 2, cells: ['a', 'b,c'] },
          { line: 3, cells: ['x', 'y'] },
        ]);
    assert.equal((await rowsOf('"sep=;"x\na;b')).length, 2);
  });

  test('a quote inside an unquoted cell is a character', async () => {
    assert.deepEqual((await rowsOf('a,b\n5" pipe,x\n'))[1]!.cells, ['5" pipe', 'x']);
  });
});

describe('refusals', () => {
  test('an unclosed quote names the line where it opened, not where the file ends', async () => {
    for (const size of [1, 7, 65_536]) {
      const { code, line } = await refusalOf('a,b\n"x ""y""\nz",2\n3,"open ""\n5,6\n', size);
      assert.deepEqual([code, line], ['unclosed_quote', 4]);
    }
  });

  test('an unclosed quote at the top of a large file', async () => {
    const { code, line } = await refusalOf(`a,b\n1,"x\n${'2,y\n'.repeat(100_000)}`);
    assert.deepEqual([code, line], ['unclosed_quote', 2]);
  });

  test('an unclosed quote is found behind quotes that are characters, and with carriage returns alone', async () => {
    for (const text of [
      'a,b\n5" pipe,x\n1,"open\n2,y\n',
      'a;b\n"A"B;x"y\n1;"open ""\n2;y\n',
      'a,b\r1,"2\r3"\r"open\r',
    ]) {
      const { code, line } = await refusalOf(text);
      assert.deepEqual([code, line], ['unclosed_quote', text.includes('\r') ? 4 : 3]);
    }
    const { code, line } = await refusalOf(Buffer.from('a,b\r1,2\r3,M\xfcller\r', 'latin1'));
    assert.deepEqual([code, line], ['not_utf8', 3]);
  });

  test('a cell past the limit', async () => {
    assert.deepEqual((await refusalOf(`a,b\n1,2\n3,${'é'.repeat(501)}\n`)).line, 3);
    assert.deepEqual((await refusalOf(`a,b\n1,2\n3,${'x'.repeat(50_000_000)}\n`)).code, 'cell_too_large');
  });

  test('invalid UTF-8 is told by line and byte offset, wherever the pieces end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        async (before, size) => {
          const start = Buffer.from(`h\n${before.replaceAll('\0', '')}`);
          const { code, line, message } = await refusalOf(
            Buffer.concat([start, Buffer.from([0xff]), Buffer.from('\nrest')]),
            size,
          );
          assert.equal(code, 'not_utf8');
          assert.match(message, new RegExp(`offset ${start.length} `));
          assert.equal(line, start.toString().split('\n').length);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a character that is cut off at the end', async () => {
    assert.equal(
      (await refusalOf(Buffer.concat([Buffer.from('a\nb'), Buffer.from('€').subarray(0, 2)]))).code,
      'not_utf8',
    );
  });

  for (const [magic, what] of [
    ['504b0304', /zip archive or an Excel workbook/],
    ['d0cf11e0', /old Excel workbook/],
    ['25504446', /PDF/],
    ['1f8b', /gzip/],
    ['fffe', /UTF-16/],
    ['feff', /UTF-16/],
  ] as const) {
    test(`${magic} is told for what it is`, async () => {
      const { code, message } = await refusalOf(Buffer.concat([Buffer.from(magic, 'hex'), Buffer.alloc(100)]), 3);
      assert.equal(code, 'not_csv');
      assert.match(message, what);
    });
  }
});
