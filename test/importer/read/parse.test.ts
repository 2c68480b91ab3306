/** Reading: bytes to rows with their lines, however the bytes are cut; and what is refused, where. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stringify } from 'csv-stringify/sync';
import { settingsSchema } from '../../../config/settings.js';
import { RefusalError } from '../../../importer/codes.js';
import { type Row, readRows } from '../../../importer/read/parse.js';
import { decodeText } from '../../../importer/read/utf8text.js';
import { fc } from '../../support/properties.js';

const limits = settingsSchema.parse({ maxCellBytes: 1000 });

/** The rows of a file that arrives in pieces of `size` bytes. */
async function rowsOf(content: string | Buffer, size = 65_536): Promise<Row[]> {
  const bytes = Buffer.from(content);
  const open = () => decodeText(pieces(bytes, size));
  const rows: Row[] = [];
  for await (const batch of readRows(open(), open, limits)) rows.push(...batch.map(({ isClean: _, ...row }) => row));
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
    assert.equal((await rowsOf('"sep=;",x\na,b')).length, 2);
  });

  test('a quote inside an unquoted cell is a character', async () => {
    assert.deepEqual((await rowsOf('a,b\n5" pipe,x\n'))[1]!.cells, ['5" pipe', 'x']);
  });
});

/** A file of two columns with these lines after its header, cut into pieces of several sizes: its rows, or where it is refused. */
async function readLines(...lines: string[]) {
  const text = ['a,b', ...lines].join('\n');
  const read = (size: number) =>
    rowsOf(text, size).then(
      (rows) => rows.slice(1).map(({ line, cells, faulty }) => (faulty === undefined ? cells : `${line}: ${faulty}`)),
      (error: RefusalError) => `${error.refusal.code}@${error.refusal.line}`,
    );
  const whole = await read(65_536);
  for (const size of [1, 2, 3, 5]) assert.deepEqual(await read(size), whole, `pieces of ${size}`);
  return whole;
}

describe('strict quotes', () => {
  for (const [line, found] of [
    // Quotes inside a cell that does not begin with one are characters.
    ['1,Ann "Bo" Lee', ['1', 'Ann "Bo" Lee']],
    ['5" pipe,6"', ['5" pipe', '6"']],
    ['="00123",x', ['="00123"', 'x']],
    // Blanks around a quoted cell are dropped, and none in other cells.
    ['"1" ,"2"\t ', ['1', '2']],
    [' "1",\t"x, y"', ['1', 'x, y']],
    [' 1 , 2 ', [' 1 ', ' 2 ']],
    ['" 1 ","" ', [' 1 ', '']],
    ['"a ""b""","""b"" c"', ['a "b"', '"b" c']],
    ['"a\n""b""" ,2', ['a\n"b"', '2']],
    // Faulty rows.
    ['1,"Bob" Miller', '2: 1,"Bob" Miller'],
    ['"Bob" Miller,"x, y"', '2: "Bob" Miller,"x, y"'],
    ['1,"Ann \\"Bo\\" Lee"', '2: 1,"Ann \\"Bo\\" Lee"'],
    ['1,""Bob""', '2: 1,""Bob""'],
    ['1,""""Bob""""', '2: 1,""""Bob""""'],
    ['1,"5" pipe"', '2: 1,"5" pipe"'],
    ['1,"a" "b"', '2: 1,"a" "b"'],
    ['1, "Bob" Miller ', '2: 1, "Bob" Miller '],
  ] as const)
    test(JSON.stringify(line), async () => {
      assert.deepEqual((await readLines(line, '3,4')).at(0), found);
      assert.deepEqual((await readLines(line, '3,4')).at(1), ['3', '4']);
    });

  for (const [lines, found] of [
    // The last row is certain, and blank lines do not matter.
    [
      ['1,2', '3,"4" 5'],
      [['1', '2'], '3: 3,"4" 5'],
    ],
    [
      ['3,"4" 5', '', ' , ', '1,2,, '],
      ['2: 3,"4" 5', ['1', '2', '', ' ']],
    ],
    [
      ['1,"2" x', '3,"4\n5"'],
      ['2: 1,"2" x', ['3', '4\n5']],
    ],
    // Otherwise the file is refused where the quote opens.
    [['1,"Ann', '2,Bob', '3,"Cy"', '4,Dan'], 'unclosed_quote@2'],
    [['1,2', '3,"x', 'y" z', '5,6'], 'unclosed_quote@3'],
    [['1,2', '3,"x" y', '5', '6,7'], 'unclosed_quote@3'],
    [['1,"2" x', '3,4,5', '6,7'], 'unclosed_quote@2'],
    [['1,"2" x', '3,"4" y', '5,6'], 'unclosed_quote@2'],
    [['1,"2" x', '3,"4', '5,6'], 'unclosed_quote@3'],
    [['1,2', '3,"'], 'unclosed_quote@3'],
    [['1,2', `3,"x" ${'y'.repeat(20_000)}`, '5,6'], 'unclosed_quote@3'],
    [['1,2', `3,"x\n${'y'.repeat(20_000)}" z`, '5,6'], 'unclosed_quote@3'],
    [['1,2', `3,"${'y'.repeat(1001)}"`, '5,"6" x', '7'], 'cell_too_large@3'],
  ] as const)
    test(JSON.stringify(lines).slice(0, 60), async () => {
      assert.deepEqual(await readLines(...lines), found);
    });

  test('a header with faulty quotes is refused', async () => {
    for (const text of ['"a" x,b\n1,2\n', '"a" x,b', 'a,"b\n1,"2"\n'])
      assert.deepEqual((await refusalOf(text, 3)).line, 1);
  });

  test('every line of a file is in a row, in a faulty row, blank, or in a file that is refused', async () => {
    const unit = fc.constantFrom('"', '"', 'a', 'a', ',', ',', ' ', '\t', '\n', '\n', '\r\n', '\r', '\\', 'é', ';');
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 });
    const outcomes = new Set<string>();
    const read = (text: string, size?: number) =>
      rowsOf(text, size).then(
        (rows) => ({ rows, refused: null }),
        (error: RefusalError) => ({ rows: [], refused: error.refusal }),
      );
    await fc.assert(
      fc.asyncProperty(fc.string({ unit, maxLength: 30 }), sizes, async (end, pieceSizes) => {
        const text = `k,v\n${end}`;
        const { rows, refused } = await read(text);
        for (const size of pieceSizes) assert.deepEqual(await read(text, size), { rows, refused });
        outcomes.add(refused?.code ?? (rows.some(({ faulty }) => faulty !== undefined) ? 'faulty' : 'read'));
        if (refused !== null) return;
        const lines = text.split(/\r\n|\n|\r/);
        const told = new Set<number>();
        for (const { line, cells, faulty } of rows) {
          const count = faulty === undefined ? cells.join('').split(/\r\n|\n|\r/).length : 1;
          const written = lines.slice(line - 1, line - 1 + count).join('');
          if (faulty !== undefined) assert.equal(faulty, written);
          for (let at = line; at < line + count; at++) {
            assert.ok(!told.has(at), `line ${at} is in two rows`);
            told.add(at);
          }
          assert.equal(cells.join('').replace(/[^aé\\;]/g, ''), written.replace(/[^aé\\;]/g, ''));
        }
        assert.match(lines.filter((_, at) => !told.has(at + 1)).join(''), /^[", \t]*$/);
      }),
      { numRuns: 1000 },
    );
    assert.deepEqual([...outcomes].sort(), ['faulty', 'read', 'unclosed_quote']);
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
      'a;b\nA"B;x"y\n1;"open ""\n2;y\n',
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
